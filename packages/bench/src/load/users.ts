import { sleep } from '@novacron/async/sleep';
import { LoadRecorder } from './load-recorder.js';
import { scenario, type Stage } from './scenario.js';
import { User } from './user.js';

const TICK_MS = 100;
/** After this many failed connections without an answer in between, the server counts as absent. */
const HOPELESS = 2_000;
/** A server that is restarted behind a balancer is away for less. */
const HOPELESS_AFTER_MS = 15_000;

export interface LoadOptions {
  /** Users are distributed over them by their numbers. */
  readonly urls: readonly string[];
  readonly token: string;
  readonly stages: readonly Stage[];
  readonly run: string;
  /** Of the think time, default 1. */
  readonly pace?: number;
  /** Creates with Idempotency-Keys, default false: the guide's have none. */
  readonly keys?: boolean;
  /** Ends the run early; what was measured so far stands. */
  readonly signal?: AbortSignal;
  readonly progress?: (line: string) => void;
}

export interface LoadRun {
  readonly recorder: LoadRecorder;
  readonly seconds: number;
  readonly mostUsers: number;
}

/** The scenario with autocannon's clients, one for each user. @throws when the server does not answer at all */
export async function runUsers(options: LoadOptions): Promise<LoadRun> {
  const { urls, token, stages, run, signal, progress } = options;
  const recorder = new LoadRecorder();
  const start = performance.now();
  const elapsed = () => (performance.now() - start) / 1_000;
  const running: User[] = [];
  const ending: Promise<void>[] = [];
  let started = 0;
  let mostUsers = 0;
  const absence = { failures: 0, since: 0, error: undefined as Error | undefined };
  const begin = () => {
    const number = (started += 1);
    return new User({
      url: urls[number % urls.length] ?? '',
      token,
      number,
      run,
      pace: options.pace ?? 1,
      keys: options.keys ?? false,
      onAnswer: (endpoint, sentAt, status, ms, reason) => {
        if (status !== 0) absence.failures = 0;
        recorder.add(endpoint, scenario.atPeak(stages, (sentAt - start) / 1_000), status, ms, reason);
      },
      onConnectionError: (error) => {
        if (absence.failures === 0) absence.since = performance.now();
        absence.failures += 1;
        absence.error = error;
      },
    });
  };
  const hopeless = () => absence.failures > HOPELESS && performance.now() - absence.since > HOPELESS_AFTER_MS;
  const length = scenario.totalSeconds(stages);
  let reportedAt = 0;
  while (elapsed() < length && signal?.aborted !== true && !hopeless()) {
    const wanted = scenario.usersAt(stages, elapsed());
    while (running.length < wanted) running.push(begin());
    while (running.length > wanted) ending.push((running.pop() as User).stop());
    mostUsers = Math.max(mostUsers, running.length);
    if (elapsed() - reportedAt >= 10) {
      reportedAt = elapsed();
      const failed = [...recorder.reasons.values()].reduce((sum, count) => sum + count, 0);
      progress?.(`${running.length} users, ${recorder.requests} requests, ${failed} not as due`);
    }
    await sleep(TICK_MS);
  }
  await Promise.all([...ending, ...running.map((user) => user.stop())]);
  if (hopeless()) throw new Error(`no answer from ${urls.join(', ')}: ${absence.error?.message}`);
  return { recorder, seconds: elapsed(), mostUsers };
}
