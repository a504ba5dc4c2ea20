import { readdirSync, readFileSync } from 'node:fs';
import type { StackProcess } from '@novacron/local-stack/stack/stack-process';

const SERVICES = [
  'gateway',
  'vm-orchestrator',
  'metrics-ingest',
  'cache-invalidator',
  'host-agent-sim',
  'nats',
];
const POSTGRES = ['postgres-primary', 'postgres-replica-1'];
/** Linux counts in hundredths of a second. */
const TICK_MS = 10;

interface Stat {
  readonly parent: number;
  readonly ownTicks: number;
  /** with those of children that have ended */
  readonly allTicks: number;
}

function stat(pid: number | string): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold spaces: fields are counted from behind it.
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const [utime = 0, stime = 0, ended = 0, endedSystem = 0] = fields.slice(11, 15);
    const ownTicks = utime + stime;
    return { parent: fields[1] ?? 0, ownTicks, allTicks: ownTicks + ended + endedSystem };
  } catch {
    return undefined; // the process has ended since the directory was read
  }
}

/** Milliseconds of CPU that a process has used so far, a server with its backends. */
export function withChildrenMs(pid: number): number {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(stat)
    .filter((one) => one?.parent === pid);
  const ticks = children.reduce((sum, one) => sum + (one?.ownTicks ?? 0), stat(pid)?.allTicks ?? 0);
  return ticks * TICK_MS;
}

/** Milliseconds of CPU that each component of a stack has used so far, and this process under `client`. */
export type CpuUse = Readonly<Record<string, number>>;

/**
 * CPU time does not grow when other programs use the machine, unlike elapsed time. On a busy machine it therefore shows
 * what a quiet one would achieve.
 */
export function cpuUse(stack: StackProcess): CpuUse {
  const services = SERVICES.map((name) => [name, (stat(stack.pid(name) ?? 0)?.ownTicks ?? 0) * TICK_MS]);
  const postgres = POSTGRES.map((name) => [name, withChildrenMs(stack.pid(name) ?? 0)]);
  const { user, system } = process.cpuUsage();
  return Object.fromEntries([...services, ...postgres, ['client', (user + system) / 1_000]]) as CpuUse;
}

/** What was used since `before`, for each of `count` things done. */
export function cpuPerItem(before: CpuUse, after: CpuUse, count: number): CpuUse {
  return Object.fromEntries(
    Object.entries(after).map(([name, ms]) => [name, (ms - (before[name] ?? 0)) / count]),
  );
}
