import { beforeEach, describe, expect, it } from '@jest/globals';
import { metricsText } from '@novacron/telemetry/metrics';
import { Readiness } from './readiness.js';

let readiness: Readiness;
let clock: number;
let replicaServes: boolean;
let cacheServes: boolean;
const away = (): never => {
  throw new Error('away');
};
beforeEach(() => {
  clock = 0;
  readiness = new Readiness(() => clock);
  [replicaServes, cacheServes] = [false, false];
  readiness.serve();
});

const states = async () => {
  const { ready, status, checks } = await readiness.report();
  return { ready, status, away: Object.keys(checks).filter((name) => !checks[name]?.ok) };
};
const degraded = async (dependency: string) =>
  new RegExp(`^novacron_degraded\\{dependency="${dependency}"\\} (\\d)`, 'm').exec(await metricsText())?.[1];

describe('readiness', () => {
  it('is ok when every dependency is available', async () => {
    readiness.add('nats', () => undefined);
    expect(await states()).toEqual({ ready: true, status: 'ok', away: [] });
    expect(await degraded('nats')).toBe('0');
  });

  it('is degraded but ready when the process serves requests without the missing dependency', async () => {
    replicaServes = true;
    readiness.add('postgres', away, () => replicaServes);
    expect(await states()).toEqual({ ready: true, status: 'degraded', away: ['postgres'] });
    expect(await degraded('postgres')).toBe('1');
  });

  it('is unavailable when the process serves no requests without the dependency', async () => {
    readiness.add('postgres', away, () => replicaServes);
    expect(await states()).toEqual({ ready: false, status: 'unavailable', away: ['postgres'] });
  });

  it('is degraded when caches answer and dependencies are missing', async () => {
    cacheServes = true;
    readiness.add('nats', away);
    readiness.add('postgres', away, () => replicaServes);
    readiness.serveWhile(() => cacheServes);
    expect(await states()).toEqual({ ready: true, status: 'degraded', away: ['nats', 'postgres'] });
  });

  it('is degraded during the grace of a missing dependency when caches answer, and unavailable after it', async () => {
    cacheServes = true;
    let isAway = true;
    readiness.add('nats', () => (isAway ? away() : undefined));
    readiness.add('postgres', away);
    readiness.serveWhile(() => cacheServes, { nats: 30_000 });
    const statusAt = async (at: number) => {
      clock = at;
      return (await states()).status;
    };
    expect(await statusAt(10_000)).toBe('degraded');
    expect(await statusAt(39_000)).toBe('degraded');
    expect(await statusAt(41_000)).toBe('unavailable');
    isAway = false;
    expect(await statusAt(45_000)).toBe('degraded');
    isAway = true;
    expect(await statusAt(80_000)).toBe('degraded');
    expect(await statusAt(111_000)).toBe('unavailable');
  });

  it('is unavailable when the process starts or drains', async () => {
    readiness.serveWhile(() => true);
    readiness.drain();
    expect(await states()).toEqual({ ready: false, status: 'unavailable', away: ['process'] });
    const starting = new Readiness();
    starting.serveWhile(() => true);
    starting.waitFor('migrations', 'not yet');
    expect(await starting.report()).toMatchObject({ ready: false, status: 'unavailable' });
  });
});
