import { describe, expect, it } from '@jest/globals';
import { restartOf, STABLE_MS } from './restart.js';

const NOW = new Date('2026-11-29T12:00:00.000Z');
type Restarted = Parameters<typeof restartOf>[0];

function crashed(over: Partial<Restarted> = {}): Restarted {
  return {
    state: 'stopped',
    desired_state: 'running',
    task: null,
    stop_reason: 'crashed',
    conditions: [],
    restart_policy: { mode: 'on-failure', maxAttempts: 4, backoff: 60 },
    restarts: null,
    restart_at: null,
    restarted_at: null,
    ...over,
  };
}
const secondsUntil = (at: Date | null | undefined) => ((at?.getTime() ?? NaN) - NOW.getTime()) / 1_000;

describe('a restart', () => {
  it('is planned after the back-off, which doubles up to its bound', () => {
    const waits = [0, 1, 2, 3].map((restarts) => {
      const next = restartOf(crashed({ restarts: restarts || null }), NOW);
      if (next.then !== 'change') throw new Error(next.then);
      expect(next.patch.restarts).toBe(restarts + 1);
      return secondsUntil(next.patch.restart_at);
    });
    expect(waits).toEqual([60, 120, 240, 300]);
  });

  it('begins when it is due, not before', () => {
    expect(restartOf(crashed({ restarts: 1, restart_at: new Date(NOW.getTime() + 1) }), NOW).then).toBe(
      'nothing',
    );
    expect(restartOf(crashed({ restarts: 1, restart_at: NOW }), NOW)).toEqual({
      then: 'start',
      patch: { restart_at: null, restarted_at: NOW },
    });
  });

  it('ends after the last attempt, with one condition', () => {
    const exhausted = crashed({ restarts: 4 });
    const next = restartOf(exhausted, NOW);
    if (next.then !== 'change') throw new Error(next.then);
    expect(next.patch.conditions).toMatchObject([{ type: 'CrashLoop', reason: 'AttemptsExhausted' }]);
    expect(restartOf({ ...exhausted, ...next.patch } as Restarted, NOW).then).toBe('nothing');
  });

  it('resets the count when the guest has run for long', () => {
    const running = crashed({ state: 'running', stop_reason: null, restarts: 3 });
    const since = (ms: number) => ({ ...running, restarted_at: new Date(NOW.getTime() - ms) });
    expect(restartOf(since(STABLE_MS), NOW).then).toBe('nothing');
    expect(restartOf(since(STABLE_MS + 1), NOW)).toMatchObject({ then: 'change', patch: { restarts: null } });
  });

  it.each<[string, Partial<Restarted>]>([
    ['its user stopped the VM', { stop_reason: 'user' }],
    ['the VM is meant to be off', { desired_state: 'stopped' }],
    ['the guest powered itself off', { stop_reason: 'guest_shutdown' }],
    ['its disk is lost with its host', { stop_reason: 'host_lost' }],
    ['a job is at work on it', { task: {} as never }],
    ['the VM has no policy', { restart_policy: null }],
    ['the policy says never', { restart_policy: { mode: 'never', maxAttempts: 5, backoff: 1 } }],
  ])('does not come when %s', (_why, over) => {
    expect(restartOf(crashed(over), NOW).then).toBe('nothing');
  });

  it('follows every end but the user’s when the policy is always', () => {
    const always = { mode: 'always', maxAttempts: 5, backoff: 1 } as const;
    const after = (stop_reason: string) =>
      restartOf(crashed({ restart_policy: always, stop_reason }), NOW).then;
    expect(['crashed', 'guest_shutdown', 'start_failed', 'user'].map(after)).toEqual([
      'change',
      'change',
      'change',
      'nothing',
    ]);
  });
});
