import type { Api, ApiAnswer } from '../api.js';
import type { BenchStack } from '../bench-stack.js';
import type { BenchContext, Measurement } from '../benchmark.js';
import { quantile } from '../stats.js';
import { underLoad } from './background.js';
import { figure, quantiles } from './figures.js';
import { patchTag, type Vm, vmIn } from './vms.js';

const WRITERS = 4;
const REPLICA = 'postgres-replica-1';

interface Round {
  /** milliseconds of a read with the writer's token, and of one that wants no state in particular */
  readonly withToken: number[];
  readonly without: number[];
  /** where those with the token were answered */
  readonly servedFrom: string[];
  /** reads with the token that did not show the write */
  wrong: number;
}

/** The VM in an answer, which is it or a list. */
function found(answer: ApiAnswer, id: string): Vm | undefined {
  const body = JSON.parse(answer.text) as Vm | { items: Vm[] };
  return 'items' in body ? body.items.find((vm) => vm.id === id) : body;
}

/** Writes at one gateway and reads at the other at once: with the token, without it, with it, … */
async function writeAndRead(api: Api, other: Api, id: string, i: number, into: Round): Promise<void> {
  const path = `/api/v1/vms/${id}`;
  const value = `${i}-${performance.now()}`;
  const { vm, token } = await patchTag(api, id, value);
  const began = performance.now();
  if (i % 2 === 1) {
    vmIn(await other.read(path, { 'novacron-consistency': 'eventual' }));
    into.without.push(performance.now() - began);
    return;
  }
  const bearing = { 'novacron-consistency-token': token };
  const answer = await other.read(path, bearing);
  into.withToken.push(performance.now() - began);
  const list = await other.read('/api/v1/vms?namePrefix=own-&limit=500', bearing);
  for (const one of [answer, list]) {
    const shown = found(one, id);
    into.servedFrom.push(one.servedFrom);
    if (shown === undefined || shown.version < vm.version || shown.tags['bench'] !== value) into.wrong += 1;
  }
}

async function measure(
  stack: BenchStack,
  other: Api,
  ids: readonly string[],
  seconds: number,
): Promise<Round> {
  const into: Round = { withToken: [], without: [], servedFrom: [], wrong: 0 };
  await underLoad([stack.api, other], ids, async () => {
    const end = performance.now() + seconds * 1_000;
    const writer = async (at: number) => {
      const own = ids.filter((_, of) => of % WRITERS === at);
      for (let i = 0; performance.now() < end; i++)
        await writeAndRead(stack.api, other, own[i % own.length] ?? '', i, into);
    };
    await Promise.all(Array.from({ length: WRITERS }, (_, at) => writer(at)));
  });
  return into;
}

const correct = ({ wrong, servedFrom }: Round) => (1 - wrong / servedFrom.length) * 100;
const share = ({ servedFrom }: Round, from: (place: string) => boolean) =>
  (servedFrom.filter(from).length / servedFrom.length) * 100;
const extra = ({ withToken, without }: Round) => quantile(withToken, 0.99) - quantile(without, 0.99);

/** Reads that carry the token of a write that was answered just before, at the other gateway. */
export async function afterWrite(
  context: BenchContext,
  stack: BenchStack,
  other: Api,
  ids: readonly string[],
): Promise<Measurement[]> {
  await measure(stack, other, ids, 2);
  const rounds: Round[] = [];
  for (let round = 1; round <= (context.quick ? 1 : 3); round++) {
    const one = await measure(stack, other, ids, context.quick ? 2 : 8);
    rounds.push(one);
    const primary = share(one, (place) => place === 'primary').toFixed(1);
    context.progress(
      `reads: after a write ${round}: ${one.servedFrom.length} reads, ${one.wrong} wrong, ${primary} % from the primary, p99 ${extra(one).toFixed(1)} ms more`,
    );
  }
  context.progress('reads: after a write, with a replica that stands still');
  const lagging = await standingStill(stack, () => measure(stack, other, ids, context.quick ? 3 : 20));
  const per = <T>(of: (round: Round) => T) => rounds.map(of);
  const notPrimary = (round: Round) => share(round, (place) => place !== 'primary');
  const all = { of: 'value' as const, atLeast: 100 };
  const withToken = quantiles(
    'after-write-with-token',
    per((round) => round.withToken),
    0.99,
  );
  const without = quantiles(
    'after-write-without',
    per((round) => round.without),
    0.99,
  );
  return [
    figure('after-write-correct', '%', per(correct), all),
    figure('after-write-not-from-primary', '%', per(notPrimary), { of: 'value', atLeast: 95 }),
    withToken,
    without,
    {
      ...figure('after-write-extra-p99', 'ms', per(extra), { of: 'value', atMost: 10 }),
      value: withToken.value - without.value,
    },
    figure('after-write-lagging-correct', '%', [correct(lagging)], all),
    figure('after-write-lagging-not-from-primary', '%', [notPrimary(lagging)]),
  ];
}

/** While the replica replays nothing: its lag grows from nothing to as long as `work` takes. */
async function standingStill<T>(stack: BenchStack, work: () => Promise<T>): Promise<T> {
  const control = async (verb: 'pause' | 'resume') => {
    const { code, stderr } = await stack.process.run('replica', verb, REPLICA);
    if (code !== 0) throw new Error(`the replica did not ${verb}: ${stderr}`);
  };
  await control('pause');
  try {
    return await work();
  } finally {
    await control('resume');
  }
}
