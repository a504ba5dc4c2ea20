import { check } from './checker.js';
import { Faults } from './faults.js';
import { Fleet } from './fleet.js';
import type { History, Violation } from './operation.js';
import { Random } from './random.js';
import { HistoryRecorder } from './recorder.js';
import type { SabotageName } from './sabotages.js';
import { work } from './workload.js';

export interface RunOptions {
  readonly seed: number;
  readonly operations: number;
  /** sessions of each of the three tenants (default 8) */
  readonly sessions?: number;
  /** default true; without faults, a replica still has a random delay */
  readonly faults?: boolean;
  /** the longest delay of a replica, milliseconds (default 6,000) */
  readonly longestLagMs?: number;
  /** ends after the first thousand operations that contain a stale read */
  readonly untilStale?: boolean;
  readonly sabotage?: SabotageName;
  /** a running fleet, which becomes as `sabotage` says and is not stopped; default a new one */
  readonly fleet?: Fleet;
  readonly say?: (line: string) => void;
}

export interface RunResult {
  readonly history: History;
  readonly violations: readonly Violation[];
  readonly faults: ReadonlyMap<string, number>;
  readonly seconds: number;
}

/** The only rule that is final before the end: the others depend on operations that may still run. */
const SURELY_STALE = 'older-than-known';

/** Starts a fleet, runs sessions and faults, and checks the recorded history. */
export async function runHistory(options: RunOptions): Promise<RunResult> {
  const { sabotage, say = () => undefined } = options;
  const fleet = options.fleet ?? (await Fleet.start(sabotage === undefined ? {} : { sabotage }));
  try {
    if (options.fleet !== undefined && sabotage !== undefined) await fleet.become(sabotage);
    const apiTokens = [
      await fleet.newTenant('one'),
      await fleet.newTenant('two'),
      await fleet.newTenant('three'),
    ];
    say('the fleet runs');
    const begun = performance.now();
    const { recorder, counts } = await live(fleet, apiTokens, options);
    const seconds = (performance.now() - begun) / 1_000;
    const history = recorder.history();
    return { history, violations: check(history), faults: counts, seconds };
  } finally {
    if (options.fleet === undefined) await fleet.stop();
  }
}

/** Runs sessions and faults together. The end of one ends the other. */
async function live(fleet: Fleet, apiTokens: readonly string[], options: RunOptions) {
  const {
    seed,
    operations,
    sessions = 8,
    faults: broken = true,
    longestLagMs = 6_000,
    untilStale,
    say,
  } = options;
  const random = new Random(seed);
  const recorder = new HistoryRecorder();
  const faults = new Faults({ fleet, recorder, random: random.fork(), longestLagMs, faults: broken });
  const end = new AbortController();
  const breaking = faults.run(end.signal);
  const onProgress = (count: number): void => {
    if (count % 10_000 === 0) say?.(`${count} operations`);
    if (untilStale && check(recorder.history()).some(({ rule }) => rule === SURELY_STALE)) end.abort();
  };
  const parts = {
    gateways: fleet.gateways,
    recorder,
    random: random.fork(),
    apiTokens,
    operations,
    sessions,
  };
  const working = work({ ...parts, signal: end.signal, onProgress });
  try {
    await Promise.race([working, breaking]);
  } finally {
    end.abort();
    await Promise.allSettled([working, breaking]);
  }
  // Rejects with the first failure.
  await Promise.all([working, breaking]);
  return { recorder, counts: faults.counts };
}
