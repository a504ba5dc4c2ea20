import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from '@novacron/local-stack/config';
import { requirePostgres } from '@novacron/local-stack/servers/programs';

export interface Machine {
  readonly cpus: number;
  readonly cpu: string;
  readonly memoryMiB: number;
  readonly node: string;
  readonly postgres: string;
  /** what was measured; `-dirty` with changes that are not committed */
  readonly commit: string;
}

export interface Moment {
  /** of the last minute, as `uptime` reports it: above `cpus`, other programs use the machine */
  readonly load: number;
  /** of a fixed piece of work on one core: distinguishes a slow moment of a shared machine from a fast one */
  readonly yardstickMs: number;
}

const firstLine = (file: string, args: string[]) =>
  execFileSync(file, args, { encoding: 'utf8', cwd: repositoryRoot }).trim().split('\n')[0] ?? '';

export function describeMachine(): Machine {
  const all = cpus();
  return {
    cpus: all.length,
    cpu: all[0]?.model ?? 'unknown',
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    node: process.versions.node,
    postgres: firstLine(join(requirePostgres(), 'postgres'), ['--version']),
    commit: firstLine('git', ['describe', '--always', '--dirty']),
  };
}

/** How busy the machine is now; takes about 100 ms of one core. */
export function now(): Moment {
  const block = Buffer.alloc(1 << 20, 1);
  const start = performance.now();
  const hash = createHash('sha256');
  for (let i = 0; i < 64; i++) hash.update(block);
  hash.digest();
  const yardstickMs = Math.round(performance.now() - start);
  return { load: Math.round((loadavg()[0] ?? 0) * 10) / 10, yardstickMs };
}
