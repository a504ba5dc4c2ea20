import { readFileSync } from 'node:fs';
import { sleep } from '@novacron/async/sleep';
import { withStack } from './bench-stack.js';
import type { Benchmark } from './benchmark.js';
import { median } from './stats.js';

const SERVICES = ['gateway', 'vm-orchestrator', 'metrics-ingest', 'cache-invalidator', 'host-agent-sim'];
const IDLE_S = 20;

/** Resident memory of a process in MiB, as the kernel counts it. */
function residentMiB(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) / 1024;
}

export const memory: Benchmark = {
  name: 'memory',
  about: `resident memory of each service, idle, ${IDLE_S} s after the start`,
  run: (context) =>
    withStack(context, {}, async ({ process: stack }) => {
      await sleep(IDLE_S * 1_000);
      const samples = SERVICES.map((): number[] => []);
      for (let i = 0; i < 5; i++) {
        SERVICES.forEach((name, at) => samples[at]?.push(residentMiB(stack.pid(name) ?? 0)));
        await sleep(1_000);
      }
      return SERVICES.map((name, at) => {
        const own = samples[at] ?? [];
        return {
          name: `memory.${name}`,
          value: median(own),
          unit: 'MiB',
          samples: own,
          target: { of: 'value', atMost: 200 },
        };
      });
    }),
};
