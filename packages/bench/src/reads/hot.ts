import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { inheritedEnvironment, repositoryRoot } from '@novacron/local-stack/config';
import type { BenchContext, Measurement, Target } from '../benchmark.js';
import { against, figure } from './figures.js';

/** Of one request: a sample for each round, but for the bytes, which are counted in a round of their own. */
interface Cost {
  readonly cpuMicros: readonly number[];
  readonly gcMicros: readonly number[];
  readonly allocated: number;
}

interface Case {
  readonly name: 'list' | 'vm' | 'unchanged';
  readonly ours: Cost;
  readonly theirs: Cost;
}

const BARE = 'a bare node:http server that sends the same bytes';
const AT_LEAST = { list: 0.6, vm: 0.6, unchanged: 0.7 };
const NAMES = { list: 'hot-list', vm: 'hot-vm', unchanged: 'hot-304' };

function scenario({ quick }: BenchContext, env: Readonly<Record<string, string>> = {}): Promise<Case[]> {
  return hotReadsScenario(quick ? ['1', '2000'] : ['7', '20000'], env);
}

/** The gateway's own scenario, a program of its own: no package may load an app. `size`: rounds, requests. */
export async function hotReadsScenario(
  size: readonly [rounds: string, requests: string],
  env: Readonly<Record<string, string>>,
): Promise<Case[]> {
  const file = join(repositoryRoot, 'apps', 'gateway', 'test', 'bench', 'hot-reads.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [file, ...size, '--json'], {
    env: { ...inheritedEnvironment(), ...env },
  });
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Case);
}

function figures({ name, ours, theirs }: Case): Measurement[] {
  const target: Target = { of: 'ratio', atLeast: AT_LEAST[name] };
  const unit = 'µs CPU/request';
  const less = (value: number, base: number) => base / value;
  const more = (value: number, base: number) => value / base;
  return [
    against(figure(NAMES[name], unit, ours.cpuMicros, target), BARE, theirs.cpuMicros, less),
    against(figure(`${NAMES[name]}-allocated`, 'bytes', [ours.allocated]), BARE, [theirs.allocated], more),
    against(figure(`${NAMES[name]}-gc`, 'µs', ours.gcMicros), BARE, theirs.gcMicros, more),
  ];
}

/** Answers out of the L1: CPU time of the process, bytes allocated, time in garbage collection. */
export async function hotReads(context: BenchContext): Promise<Measurement[]> {
  context.progress('reads: hot, against a bare node:http server');
  const cases = await scenario(context);
  context.progress('reads: hot, without telemetry');
  const [without] = await scenario(context, { TELEMETRY: 'off', CASE: 'list' });
  const [list] = cases;
  if (list === undefined || without === undefined) throw new Error('hot-reads.ts printed nothing');
  // Two programs one after the other: what each takes is held against the bare server beside it.
  const inBare = ({ ours, theirs }: Case) =>
    ours.cpuMicros.map((cpu, at) => cpu / (theirs.cpuMicros[at] ?? NaN));
  const telemetry = against(
    figure('hot-telemetry', 'of bare', inBare(list), { of: 'ratio', atMost: 1.15 }),
    'the list without telemetry',
    inBare(without),
    (value, base) => value / base,
  );
  return [...cases.flatMap(figures), telemetry];
}
