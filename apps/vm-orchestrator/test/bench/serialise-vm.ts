/*
 * The guide's BenchmarkJSONMarshal: what it takes to make JSON of a VM, as the orchestrator does for answers to
 * writes and for events (row → resource → text), against the guide's own, smaller VM. Build first, then:
 *
 *     node --expose-gc apps/vm-orchestrator/test/bench/serialise-vm.ts [rounds] [milliseconds]
 *
 * Prints a line of JSON for each: nanoseconds for each round (medians, so that a moment off the CPU does not
 * count), bytes allocated, bytes of the text.
 */
import { Bench } from 'tinybench';
import { toVm, type VmRow } from '../../dist/vms/row.js';

/** One sample is a batch: the clock is too coarse for one VM. So short that few samples lose the CPU in between. */
const BATCH = 20;
/** For bytes; together they fit into the young generation. */
const MANY = 500;

const at = new Date('2026-11-23T16:30:00.000Z');
const row = {
  tenant_id: '01890000-0000-7000-8000-00000000aaaa',
  id: '01890000-0000-7000-8000-000000000001',
  name: 'web-1',
  state: 'running',
  desired_state: 'running',
  cpu: 2,
  memory: 4096,
  disk: 50,
  image: 'ubuntu-22.04',
  zone: 'sim',
  host_id: '01890000-0000-7000-8000-0000000000ff',
  tags: { env: 'prod', role: 'web' },
  task: null,
  conditions: [],
  stop_reason: null,
  last_error: null,
  generation: 1,
  observed_generation: 1,
  incarnation: 1,
  version: 4,
  created_at: at,
  updated_at: at,
} as unknown as VmRow;

const guideVm = () => ({
  id: 'vm-123',
  name: 'test-vm',
  state: 'running',
  tenant_id: 'tenant-123',
  config: { cpu: 2, memory: 4096, disk: 50 },
  created_at: at.toISOString(),
  updated_at: at.toISOString(),
});

const SIDES = { ours: () => JSON.stringify(toVm(row)), guide: () => JSON.stringify(guideVm()) };
type Side = keyof typeof SIDES;

/** Keeps the last text, so that none can be left out. */
let last = '';

function batch(side: Side, count = BATCH): void {
  const make = SIDES[side];
  for (let i = 0; i < count; i++) last = make();
}

async function nanoseconds(time: number): Promise<Record<Side, number>> {
  const bench = new Bench({ time, warmupTime: time / 4, throws: true });
  for (const side of Object.keys(SIDES) as Side[]) bench.add(side, () => batch(side));
  await bench.run();
  const of = (side: Side) => {
    const { result } = bench.getTask(side) as NonNullable<ReturnType<Bench['getTask']>>;
    if (result.state !== 'completed') throw new Error(`${side} was not measured: ${result.state}`);
    return (result.latency.p50 * 1e6) / BATCH;
  };
  return { ours: of('ours'), guide: of('guide') };
}

/** The heap grows by what is allocated while nothing is collected: few enough to fit into the young generation. */
function allocated(side: Side): number {
  if (globalThis.gc === undefined) throw new Error('start node with --expose-gc');
  const samples = Array.from({ length: 5 }, () => {
    globalThis.gc?.();
    const before = process.memoryUsage().heapUsed;
    batch(side, MANY);
    return (process.memoryUsage().heapUsed - before) / MANY;
  });
  return samples.sort((a, b) => a - b)[2] as number;
}

const [rounds = '9', time = '200'] = process.argv.slice(2);
const times: Record<Side, number>[] = [];
for (let round = 0; round < Number(rounds); round++) times.push(await nanoseconds(Number(time)));
for (const side of Object.keys(SIDES) as Side[]) {
  const bytes = { allocated: allocated(side), length: (batch(side), Buffer.byteLength(last)) };
  process.stdout.write(`${JSON.stringify({ side, nanos: times.map((one) => one[side]), ...bytes })}\n`);
}
