import { describe, expect, it } from '@jest/globals';
import { LoadRecorder } from './load-recorder.js';
import { scenario, summarise } from './scenario.js';

const guide = scenario.PROFILES['guide'] ?? [];
const options = { tool: 'autocannon', at: '', profile: 'guide', url: '', users: 200, seconds: 960 };

describe("the guide's stages", () => {
  it('are 2, 5, 2, 5 and 2 minutes, to 100 and to 200 users and back', () => {
    expect(scenario.totalSeconds(guide)).toBe(16 * 60);
    const minutes = [0, 1, 2, 5, 7, 8, 9, 13.9, 15, 16];
    expect(minutes.map((minute) => scenario.usersAt(guide, minute * 60))).toEqual([
      0, 50, 100, 100, 100, 150, 200, 200, 100, 0,
    ]);
  });

  it('have their peak while 200 users stay, not on the way there', () => {
    const minutes = [5, 8, 8.99, 9, 13.9, 14.1];
    expect(minutes.map((minute) => scenario.atPeak(guide, minute * 60))).toEqual([
      false,
      false,
      false,
      true,
      true,
      false,
    ]);
  });
});

it('gives no two VMs one name: not of two users, two iterations or two runs that begin at once', () => {
  const names = Array.from({ length: 50 }, () => scenario.newRun()).flatMap((run) =>
    Array.from({ length: 400 }, (_, i) => scenario.newVm(run, Math.floor(i / 20), i % 20)),
  ) as { name: string }[];
  expect(new Set(names.map(({ name }) => name)).size).toBe(names.length);
  for (const { name } of names) expect(name).toMatch(/^[a-z]([a-z0-9-]{0,61}[a-z0-9])$/);
});

describe('a run', () => {
  const recorded = (answers: readonly (readonly [number, number])[]) => {
    const recorder = new LoadRecorder();
    for (const [status, ms] of answers) recorder.add('list', true, status, ms);
    return recorder;
  };
  const good = Array.from({ length: 99 }, () => [200, 20] as const);

  it('passes when every threshold holds', () => {
    expect(summarise(recorded(good).metrics(1), options, 'guide')).toMatchObject({ passed: true, failed: 0 });
  });

  it('fails on one error in a hundred, and says what was answered', () => {
    const recorder = recorded([...good, [503, 20]]);
    const { passed, thresholds } = summarise(recorder.metrics(1), options, 'guide');
    expect(passed).toBe(false);
    expect(thresholds.filter(({ ok }) => !ok)).toEqual([
      { metric: 'http_req_failed', expression: 'rate<0.01', value: 0.01, ok: false },
      { metric: 'errors', expression: 'rate<0.01', value: 0.01, ok: false },
    ]);
    expect([...recorder.reasons]).toEqual([['list: 503', 1]]);
  });

  it('fails when the 95th of a hundred takes a second', () => {
    const slow = Array.from({ length: 6 }, () => [200, 1_000] as const);
    expect(summarise(recorded([...good.slice(6), ...slow]).metrics(1), options, 'guide').passed).toBe(false);
  });

  it('fails by our own aims only when it is asked to be strict', () => {
    const slow = recorded(good.map(([status]) => [status, 60] as const)).metrics(1);
    expect(summarise(slow, options, 'guide').passed).toBe(true);
    const strict = summarise(slow, options, 'strict');
    expect(strict.thresholds.filter(({ ok }) => !ok).map(({ metric }) => metric)).toEqual([
      'http_req_duration{endpoint:list,peak:true}',
      // Nothing was created: what was not measured holds nothing.
      'http_req_duration{endpoint:create,peak:true}',
    ]);
  });

  it('that must lose nothing fails on a single error', () => {
    const one = recorded([...Array.from({ length: 999 }, () => [200, 20] as const), [503, 20]]).metrics(1);
    expect(summarise(one, options, 'guide').passed).toBe(true);
    expect(summarise(one, options, 'lossless').passed).toBe(false);
  });

  it('that made no request fails', () => {
    expect(summarise(new LoadRecorder().metrics(1), options, 'guide').passed).toBe(false);
  });
});
