import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { inheritedEnvironment, repositoryRoot } from '@novacron/local-stack/config';
import type { Measurement } from '../benchmark.js';
import { cost } from './cost.js';
import type { Effort } from './guide.js';

interface Side {
  readonly side: 'ours' | 'guide';
  readonly nanos: readonly number[];
  readonly allocated: number;
  readonly length: number;
}

const GUIDE_VM = "the guide's VM, of seven fields";

/** Many short rounds: the two sides of one are then measured at nearly the same moment. */
const SHORT = 4;

/** The guide's BenchmarkJSONMarshal: a VM's row to JSON. A program of its own: no package may load an app. */
export async function serialise(effort: Effort): Promise<Measurement[]> {
  const sides: Side[] = [];
  for (let i = 0; i < effort.processes; i++) sides.push(...(await program(effort)));
  const of = (side: Side['side']) => sides.filter((one) => one.side === side);
  const both = <T>(take: (one: Side) => T) => [of('ours').map(take), of('guide').map(take)] as const;
  const [nanos, guideNanos] = both(({ nanos: each }) => each);
  const [allocated, guideAllocated] = both((one) => one.allocated);
  const [length, guideLength] = both((one) => one.length);
  return [
    cost('serialise', 'ns/op', nanos.flat(), GUIDE_VM, guideNanos.flat()),
    cost('serialise-allocated', 'bytes/op', allocated, GUIDE_VM, guideAllocated),
    cost('serialise-length', 'bytes', length, GUIDE_VM, guideLength),
  ];
}

async function program({ rounds, milliseconds }: Effort): Promise<Side[]> {
  const file = join(repositoryRoot, 'apps', 'vm-orchestrator', 'test', 'bench', 'serialise-vm.ts');
  const args = ['--expose-gc', '--disable-warning=ExperimentalWarning', file];
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...args, String(rounds * SHORT), String(milliseconds)],
    { env: inheritedEnvironment() },
  );
  const sides = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Side);
  if (sides.length !== 2) throw new Error(`serialise-vm.ts printed ${stdout}`);
  return sides;
}
