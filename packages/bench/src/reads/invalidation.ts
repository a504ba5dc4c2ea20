import { sleep } from '@novacron/async/sleep';
import { connect } from '@nats-io/transport-node';
import type { Api } from '../api.js';
import type { BenchStack } from '../bench-stack.js';
import type { BenchContext, Measurement } from '../benchmark.js';
import { quantile } from '../stats.js';
import { underLoad } from './background.js';
import { quantiles } from './figures.js';
import { patchTag, vmIn } from './vms.js';

const WRITERS = 2;
const EVENTUAL = { 'novacron-consistency': 'eventual' };
const GIVE_UP_MS = 10_000;

/** Milliseconds after the answer to the write; less than 0 where it came before the answer. */
interface Round {
  readonly broadcast: number[];
  readonly gone: number[];
  /** since the write was sent: an upper bound of the time since its commit */
  readonly goneSinceSent: number[];
}

/** When each version of each VM was published to the L1s, as a gateway receives it. */
async function listen(stack: BenchStack) {
  const url = new URL(stack.process.env()['NOVACRON_NATS_ADMIN_URL'] ?? '');
  const nc = await connect({ servers: url.host, user: url.username, pass: url.password });
  const heard = new Map<string, number>();
  nc.subscribe('invalidations.orchestrator', {
    callback: (error, message) => {
      if (error !== null) return;
      const { events } = message.json<{ events: { id: string; version: number }[] }>();
      for (const { id, version } of events) heard.set(`${id}:${version}`, performance.now());
    },
  });
  await nc.flush();
  return { heard, close: () => nc.close() };
}

/** One write at one gateway, while the other has the old version in its L1. */
async function oneWrite(
  api: Api,
  other: Api,
  id: string,
  heard: Map<string, number>,
  into: Round,
): Promise<void> {
  const path = `/api/v1/vms/${id}`;
  await other.read(path, EVENTUAL);
  const sent = performance.now();
  const { vm } = await patchTag(api, id, String(sent));
  const answered = performance.now();
  // Without a token: nothing but the invalidation keeps the old version from being shown.
  while (vmIn(await other.read(path, EVENTUAL)).version < vm.version) {
    if (performance.now() - answered > GIVE_UP_MS) throw new Error(`the old version of ${id} stays`);
    await sleep(1);
  }
  const gone = performance.now();
  into.gone.push(gone - answered);
  into.goneSinceSent.push(gone - sent);
  const key = `${id}:${vm.version}`;
  while (!heard.has(key)) {
    if (performance.now() - answered > GIVE_UP_MS) throw new Error(`no invalidation of ${id} arrived`);
    await sleep(1);
  }
  into.broadcast.push((heard.get(key) ?? NaN) - answered);
}

/** From a commit until no L1 answers with what was before. */
export async function invalidation(
  context: BenchContext,
  stack: BenchStack,
  other: Api,
  ids: readonly string[],
): Promise<Measurement[]> {
  const { heard, close } = await listen(stack);
  const rounds: Round[] = [];
  const writer = async (into: Round, own: readonly string[], end: number) => {
    for (let i = 0; performance.now() < end; i++)
      await oneWrite(stack.api, other, own[i % own.length] ?? '', heard, into);
  };
  try {
    for (let round = 0; round <= (context.quick ? 1 : 3); round++) {
      const into: Round = { broadcast: [], gone: [], goneSinceSent: [] };
      await underLoad([stack.api, other], ids, async () => {
        const end = performance.now() + (context.quick || round === 0 ? 2_000 : 10_000);
        const share = Math.floor(ids.length / WRITERS);
        const own = Array.from({ length: WRITERS }, (_, at) => ids.slice(at * share, (at + 1) * share));
        await Promise.all(own.map((some) => writer(into, some, end)));
      });
      heard.clear();
      if (round === 0) continue; // it warms up
      const p = (samples: number[]) => [0.5, 0.99].map((q) => quantile(samples, q).toFixed(1)).join(' / ');
      context.progress(
        `reads: invalidation ${round}: ${into.gone.length} writes, published after p50/p99 ${p(into.broadcast)} ms, gone after ${p(into.gone)} ms`,
      );
      rounds.push(into);
    }
  } finally {
    await close();
  }
  const of = (what: keyof Round) => rounds.map((one) => one[what]);
  return [
    quantiles('invalidation-told', of('broadcast'), 0.5),
    quantiles('invalidation-told', of('broadcast'), 0.99, { of: 'value', atMost: 50 }),
    quantiles('invalidation-gone', of('gone'), 0.5),
    quantiles('invalidation-gone', of('gone'), 0.99, { of: 'value', atMost: 50 }),
    quantiles('invalidation-gone-since-sent', of('goneSinceSent'), 0.5),
    quantiles('invalidation-gone-since-sent', of('goneSinceSent'), 0.99),
  ];
}
