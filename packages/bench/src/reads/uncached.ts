import { sleep } from '@novacron/async/sleep';
import type { BenchStack } from '../bench-stack.js';
import type { BenchContext, Measurement } from '../benchmark.js';
import { closedLoop } from '../closed-loop.js';
import { withChildrenMs } from '../cpu.js';
import { type DefaultNest, withDefaultNest } from './default-nest.js';
import { against, figure } from './figures.js';

const IN_FLIGHT = 32;
const PATH = '/api/v1/vms?limit=50';

/** One way to the list, and the processes that take part in it. */
interface Way {
  readonly name: 'strong' | 'miss' | 'nest';
  readonly read: () => Promise<void>;
  /** by component */
  readonly pids: Readonly<Record<string, number>>;
}

interface Sample {
  readonly rate: number;
  /** milliseconds of all processes of the way, for each request, without what they take while idle */
  readonly cpu: number;
  /** the same by component */
  readonly by: Readonly<Record<string, number>>;
}

let asked = Date.UTC(2100, 0, 1);

/** A page that begins before the newest VM: each call asks another question, and all have one answer. */
function nextCursor(): string {
  const id = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
  const keyset = ['-createdAt', new Date((asked += 1)).toISOString(), id];
  return Buffer.from(JSON.stringify(keyset)).toString('base64url');
}

function waysOf(stack: BenchStack, nest: DefaultNest): Way[] {
  const pids = (...names: string[]) =>
    Object.fromEntries(names.map((name) => [name, stack.process.pid(name) ?? 0]));
  const services = pids('gateway', 'vm-orchestrator', 'nats', 'postgres-primary');
  const strong = { 'novacron-consistency': 'strong' };
  const baseline = `${PATH}&tenantId=${stack.secrets.tenantId}`;
  return [
    { name: 'strong', pids: services, read: async () => void (await stack.api.read(PATH, strong)) },
    {
      name: 'miss',
      pids: { ...services, ...pids('redis', 'postgres-replica-1') },
      // A new query with the same answer.
      read: async () => void (await stack.api.read(`${PATH}&cursor=${nextCursor()}`)),
    },
    {
      name: 'nest',
      pids: { ...nest.pids, ...pids('nats', 'postgres-primary') },
      read: async () => void (await nest.api.read(baseline)),
    },
  ];
}

type Used = ReadonlyMap<string, number>;

const used = (pids: Way['pids']): Used =>
  new Map(Object.entries(pids).map(([name, pid]) => [name, withChildrenMs(pid)]));

/** Milliseconds that each component used since. */
const since = (before: Used, pids: Way['pids']) =>
  [...used(pids)].map(([name, ms]) => [name, ms - (before.get(name) ?? 0)] as const);

/** Milliseconds per second that the idle components take: heartbeats, watermarks, probes. */
async function idle(ways: readonly Way[], seconds: number): Promise<Used> {
  const pids = Object.assign({}, ...ways.map((way) => way.pids)) as Way['pids'];
  const before = used(pids);
  const began = performance.now();
  await sleep(seconds * 1_000);
  const took = (performance.now() - began) / 1_000;
  return new Map(since(before, pids).map(([name, ms]) => [name, ms / took]));
}

async function sample({ pids, read }: Way, anyway: Used, seconds: number): Promise<Sample> {
  const before = used(pids);
  const loop = await closedLoop({ inFlight: IN_FLIGHT, seconds }, read);
  const by = since(before, pids).map(
    ([name, ms]) => [name, (ms - (anyway.get(name) ?? 0) * loop.seconds) / loop.count] as const,
  );
  const cpu = by.reduce((sum, [, ms]) => sum + ms, 0);
  return { rate: loop.count / loop.seconds, cpu, by: Object.fromEntries(by) };
}

const inWords = ({ rate, cpu, by }: Sample) =>
  `${rate.toFixed(0)} /s, ${cpu.toFixed(2)} ms CPU (${Object.entries(by)
    .map(([name, ms]) => `${name} ${ms.toFixed(2)}`)
    .join(', ')})`;

/** Both must show the same VMs, or the figures compare nothing. */
async function sameList(stack: BenchStack, nest: DefaultNest): Promise<void> {
  const ids = ({ text }: { text: string }) =>
    (JSON.parse(text) as { items: { id: string }[] }).items.map(({ id }) => id).join();
  const ours = await stack.api.read(PATH, { 'novacron-consistency': 'strong' });
  const theirs = await nest.api.read(`${PATH}&tenantId=${stack.secrets.tenantId}`);
  if (ids(ours) !== ids(theirs) || ids(ours).split(',').length !== 50)
    throw new Error('the baseline lists other VMs');
}

/** The list of 50 VMs that no cache answers, against TypeORM's `find` behind the same hop. */
export function uncachedList(context: BenchContext, stack: BenchStack): Promise<Measurement[]> {
  return withDefaultNest(stack, async (nest) => {
    await sameList(stack, nest);
    const ways = waysOf(stack, nest);
    const samples: Record<Way['name'], Sample[]> = { strong: [], miss: [], nest: [] };
    for (const way of ways) await sample(way, new Map(), 3);
    for (let round = 1; round <= (context.quick ? 1 : 3); round++) {
      const anyway = await idle(ways, context.quick ? 1 : 4);
      for (const way of ways) {
        const one = await sample(way, anyway, context.quick ? 2 : 6);
        samples[way.name].push(one);
        context.progress(`reads: uncached list ${round}, ${way.name}: ${inWords(one)}`);
      }
    }
    const ours = (['strong', 'miss'] as const).flatMap((name) => figures(name, samples[name], samples.nest));
    return [...ours, ...byComponent('nest', samples.nest)];
  });
}

function figures(name: string, ours: readonly Sample[], theirs: readonly Sample[]): Measurement[] {
  const what = 'TypeORM find in a default Nest service behind the same NATS hop';
  const of = (samples: readonly Sample[], key: 'rate' | 'cpu') => samples.map((one) => one[key]);
  const target = { of: 'ratio' as const, atLeast: 3 };
  return [
    against(
      figure(`uncached-list-${name}-cpu`, 'ms CPU/request', of(ours, 'cpu'), target),
      what,
      of(theirs, 'cpu'),
      (value, base) => base / value,
    ),
    against(
      figure(`uncached-list-${name}-rate`, 'lists/s', of(ours, 'rate'), target),
      what,
      of(theirs, 'rate'),
      (value, base) => value / base,
    ),
    ...byComponent(name, ours),
  ];
}

function byComponent(name: string, samples: readonly Sample[]): Measurement[] {
  return Object.keys(samples[0]?.by ?? {}).map((component) =>
    figure(
      `uncached-list-${name}-cpu-${component}`,
      'ms CPU/request',
      samples.map(({ by }) => by[component] ?? 0),
    ),
  );
}
