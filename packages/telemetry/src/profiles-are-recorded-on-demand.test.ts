import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { metricsText } from './metrics.js';
import { startOps, type Ops } from './ops.js';
import { Profiling } from './profiling.js';

const TOKEN = 'a-secret-of-the-operators';
const about = {
  host: '127.0.0.1',
  port: 0,
  metricsText,
  ready: async () => ({ ready: true, status: 'ok' as const, checks: {} }),
};
let ops: Ops;
const kept: string[] = [];
let made = 0;
let work: NodeJS.Timeout;

/** Is busy half of the time, and always holds the last 10,000 things that it made. */
function burnForAProfile(): void {
  for (const until = performance.now() + 5; performance.now() < until; made++)
    kept[made % 10_000] = Buffer.from(`${made}`.repeat(200)).toString('hex');
}

beforeAll(async () => {
  ops = await startOps({ ...about, profiling: new Profiling('test', TOKEN) });
  work = setInterval(burnForAProfile, 10);
});
afterAll(async () => {
  clearInterval(work);
  await ops.close();
});

function profile(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = { authorization: `Bearer ${TOKEN}` };
  return fetch(`http://127.0.0.1:${ops.port}/profile/${path}`, { headers, ...init });
}

describe('a profile on demand', () => {
  it('of the CPU is one that Chrome and speedscope open, with the function that was busy', async () => {
    const answer = await profile('cpu?seconds=1');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-disposition')).toMatch(/filename="test-\d+-\d+\.cpuprofile"/);
    const { nodes, samples, timeDeltas, startTime, endTime } = (await answer.json()) as {
      nodes: { id: number; callFrame: { functionName: string } }[];
      samples: number[];
      timeDeltas: number[];
      startTime: number;
      endTime: number;
    };
    const ids = new Set(nodes.map(({ id }) => id));
    expect(nodes.map(({ callFrame }) => callFrame.functionName)).toContain('burnForAProfile');
    expect(samples.length).toBeGreaterThan(10);
    expect(samples.every((id) => ids.has(id))).toBe(true);
    expect(timeDeltas).toHaveLength(samples.length);
    expect(endTime - startTime).toBeGreaterThan(900_000);
  }, 60_000);

  it('of the heap is one that Chrome and speedscope open, with the function that allocated', async () => {
    const answer = await profile('heap?seconds=1');
    expect(answer.headers.get('content-disposition')).toMatch(/\.heapprofile"/);
    const { head, samples } = (await answer.json()) as { head: { selfSize: number }; samples: unknown[] };
    expect(typeof head.selfSize).toBe('number');
    expect(samples.length).toBeGreaterThan(0);
    expect(JSON.stringify(head)).toContain('burnForAProfile');
  }, 60_000);

  it.each(['', 'Bearer', 'Bearer another-secret', `Basic ${TOKEN}`, `Bearer ${TOKEN}x`])(
    'is refused for the header «%s»',
    async (authorization) => {
      const answer = await profile('cpu?seconds=1', { headers: { authorization } });
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    },
  );

  it.each(['0', '61', '1000', '-1', '1.5', 'ten', ''])('of «%s» seconds is refused', async (seconds) => {
    const answer = await profile(`heap?seconds=${seconds}`);
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain('1 to 60');
  });

  it('answers GET alone, and only for profiles that exist', async () => {
    expect((await profile('cpu', { method: 'POST' })).status).toBe(405);
    expect((await profile('cpu', { method: 'HEAD' })).status).toBe(405);
    expect((await profile('disk')).status).toBe(404);
  });

  it('answers 429 with Retry-After while another one is recorded', async () => {
    const both = await Promise.all([profile('cpu?seconds=3'), profile('heap?seconds=3')]);
    const [recorded, refused] = both.sort((a, b) => a.status - b.status);
    expect([recorded?.status, refused?.status]).toEqual([200, 429]);
    expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0);
  }, 60_000);

  it('ends with the client that asked for it', async () => {
    const impatient = profile('cpu?seconds=60', { signal: AbortSignal.timeout(500) });
    await expect(impatient).rejects.toThrow();
    const since = performance.now();
    let next = await profile('cpu?seconds=1');
    while (next.status === 429) next = await profile('cpu?seconds=1');
    expect(next.status).toBe(200);
    // Had the first one gone on, the place would have been taken for a minute.
    expect(performance.now() - since).toBeLessThan(50_000);
  }, 90_000);

  it('ends with the listener', async () => {
    const own = await startOps({ ...about, profiling: new Profiling('test', TOKEN) });
    const headers = { authorization: `Bearer ${TOKEN}` };
    const running = fetch(`http://127.0.0.1:${own.port}/profile/cpu?seconds=60`, { headers });
    const ended = running.then(
      () => 'answered',
      () => 'cut off',
    );
    await sleep(300);
    await own.close();
    expect(await ended).toBe('cut off');
  }, 30_000);

  it('is not there when it is off', async () => {
    const off = await startOps(about);
    const headers = { authorization: `Bearer ${TOKEN}` };
    const answer = await fetch(`http://127.0.0.1:${off.port}/profile/cpu`, { headers });
    expect(answer.status).toBe(404);
    await off.close();
  });
});
