import { sleep } from '@novacron/async/sleep';
import { countVms, withStack, type BenchStack } from './bench-stack.js';
import type { BenchContext, Benchmark } from './benchmark.js';
import { median } from './stats.js';

const VMS = 1_000;
const GIVE_UP_S = 120;

/** Seconds from the first request until every VM of the burst runs, and until every create was answered. */
async function once(
  context: BenchContext,
  stack: BenchStack,
  round: number,
): Promise<{ all: number; answered: number }> {
  const prefix = `burst-${round}-`;
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1_000;
  const creates = Promise.all(Array.from({ length: VMS }, (_, i) => stack.api.create(`${prefix}${i}`))).then(
    seconds,
  );
  creates.catch(() => undefined); // awaited below
  while ((await countVms(stack, prefix, 'running')) < VMS) {
    if (seconds() > GIVE_UP_S) throw new Error(`not all VMs run after ${GIVE_UP_S} s`);
    await sleep(50);
  }
  const all = seconds();
  const answered = await creates;
  context.progress(
    `burst: round ${round}: all run after ${all.toFixed(2)} s, answered after ${answered.toFixed(2)} s`,
  );
  return { all, answered };
}

export const burst: Benchmark = {
  name: 'burst',
  about: `${VMS} simulated VMs created at once: until all run`,
  run: (context) =>
    withStack(context, {}, async (stack) => {
      const rounds: { all: number; answered: number }[] = [];
      for (let round = 1; round <= (context.quick ? 1 : 3); round++)
        rounds.push(await once(context, stack, round));
      const all = rounds.map((round) => round.all);
      const answered = rounds.map((round) => round.answered);
      const target = { of: 'value' as const, atMost: 10 };
      return [
        { name: 'burst.all-run', value: median(all), unit: 's', samples: all, target },
        { name: 'burst.all-answered', value: median(answered), unit: 's', samples: answered },
      ];
    }),
};
