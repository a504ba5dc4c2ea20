import { fnv1a } from '@novacron/async/hash';
import type { Sample } from '../driver.js';
import type { Guest } from './guest.js';
import { TRACE_LINES, TRACE_STEP_MS, traceFor, type Trace } from './trace.js';

/** The source of the guests' load: recorded days, or a generated daily cycle without them. */
export interface Load {
  readonly traces: readonly Trace[];
  readonly seed: number;
}

const DAY_MS = 86_400_000;

/** The guest's load at `time`; the same guest and time always give the same load. */
export function sampleOf(load: Load, guest: Guest, time: number): Sample {
  const trace = traceFor(load.traces, guest);
  const [cpu, memory] = trace ? traceAt(trace, time) : cycleAt(load.seed, guest.vmId, time);
  const uptime = Math.max(0, time - guest.bootedAt) / 1_000;
  const share = fnv1a(guest.vmId) / 4_294_967_296;
  return {
    vmId: guest.vmId,
    time,
    values: {
      cpu_usage: cpu,
      memory_usage: memory,
      disk_read_bytes: bytes(uptime, 20_000 + 200_000 * share),
      disk_write_bytes: bytes(uptime, 50_000 + 100_000 * share),
      network_recv: bytes(uptime, 10_000 + 400_000 * share),
      network_sent: bytes(uptime, 10_000 + 300_000 * share),
    },
  };
}

/** A recorded day repeats; its line holds for five minutes. The recording's minute 0 is midnight UTC. */
function traceAt(trace: Trace, time: number): readonly [number, number] {
  const line = Math.floor((time % DAY_MS) / TRACE_STEP_MS) % TRACE_LINES;
  return [trace.cpu[line] ?? 0, trace.memory[line] ?? 0];
}

/** Percent of CPU and memory: busiest at an hour of the guest's own, with a ripple of minutes. */
function cycleAt(seed: number, vmId: string, time: number): readonly [number, number] {
  const own = fnv1a(`${seed}:${vmId}`);
  const phase = (own % 1_440) / 1_440;
  const base = 5 + ((own >>> 11) % 30);
  const swing = 10 + ((own >>> 17) % 50);
  const day = (1 - Math.cos(2 * Math.PI * (time / DAY_MS - phase))) / 2;
  const ripple = Math.sin(time / 61_000 + own) * 3;
  const cpu = clamp(base + swing * day + ripple);
  return [cpu, clamp(30 + ((own >>> 5) % 40) + 10 * day)];
}

/** Bytes since boot at about `rate` a second, in waves of ten minutes; never falls. */
function bytes(uptime: number, rate: number): number {
  const wave = 600 / (2 * Math.PI);
  return Math.floor(rate * (uptime + 0.8 * wave * (1 - Math.cos(uptime / wave))));
}

function clamp(percent: number): number {
  return Math.round(Math.min(100, Math.max(0, percent)) * 1_000) / 1_000;
}
