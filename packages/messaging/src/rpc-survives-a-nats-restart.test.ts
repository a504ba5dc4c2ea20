import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NatsConnection } from '@nats-io/transport-node';
import { ServiceError } from '@novacron/contracts/errors';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestNats } from '../test/nats-server.js';
import { echo, meta, slow, startService, type TestService } from '../test/rpc-fixture.js';
import { connectNats } from './connect.js';
import { RpcClient } from './rpc-client.js';

let nats: TestNats;
let service: TestService;
let nc: NatsConnection;
let client: RpcClient;

beforeAll(async () => {
  nats = await TestNats.start();
  service = await startService(nats);
  nc = await connectNats({ url: nats.url, user: 'client', password: 'c', name: 'client' });
  client = new RpcClient(nc);
});
afterAll(async () => {
  await nc.close();
  await service.stop();
  await nats.stop();
});

describe('NATS killed and started again under traffic', () => {
  it('makes requests fail in bounded time, and they work again without a restart', async () => {
    let stop = false;
    const outcomes: { code: string; ms: number }[] = [];
    const traffic = (async () => {
      while (!stop) {
        const startedAt = performance.now();
        const code = await client.request(echo, meta(500), { text: '' }).then(
          () => 'ok',
          (error: unknown) => (error instanceof ServiceError ? error.code : String(error)),
        );
        outcomes.push({ code, ms: performance.now() - startedAt });
        await sleep(5);
      }
    })();
    await sleep(200);
    await nats.kill();
    await sleep(800);
    const whileDown = outcomes.slice(-20);
    await nats.up();
    await sleep(1_500);
    const afterwards = outcomes.slice(-20);
    stop = true;
    await traffic;

    expect(new Set(outcomes.map(({ code }) => code))).toEqual(
      new Set([
        'ok',
        'dependency_down',
        ...(outcomes.some(({ code }) => code === 'deadline_exceeded') ? ['deadline_exceeded'] : []),
      ]),
    );
    expect(Math.max(...outcomes.map(({ ms }) => ms))).toBeLessThan(800);
    for (const { code, ms } of whileDown) {
      expect(code).toBe('dependency_down');
      expect(ms).toBeLessThan(100);
    }
    for (const { code } of afterwards) expect(code).toBe('ok');
  });

  it('does not hold requests that were under way until their deadlines: their replies are lost', async () => {
    const startedAt = performance.now();
    const restarted = sleep(100)
      .then(() => nats.kill())
      .then(() => nats.up());
    const waiting = client.request(slow, meta(10_000), { ms: 4_000 });
    await expect(waiting).rejects.toMatchObject({ code: 'dependency_down' });
    await restarted;
    expect(performance.now() - startedAt).toBeLessThan(3_500);
    const again = () => client.request(echo, meta(), { text: 'again' }).catch(() => sleep(50, undefined));
    let answer = await again();
    for (const until = Date.now() + 5_000; !answer && Date.now() < until;) answer = await again();
    expect(answer?.body.text).toBe('again');
  }, 15_000);

  it('that hangs without closing its connections holds no request beyond its deadline', async () => {
    nats.signal('SIGSTOP');
    const startedAt = performance.now();
    await expect(client.request(echo, meta(300), { text: '' })).rejects.toMatchObject({
      code: 'deadline_exceeded',
    });
    expect(performance.now() - startedAt).toBeLessThan(600);
    nats.signal('SIGCONT');
    expect((await client.request(echo, meta(), { text: 'again' })).body.text).toBe('again');
  });

  it('lets a service that starts before NATS wait, and says why it waits', async () => {
    await nats.kill();
    const reasons: string[] = [];
    const waiting = connectNats({
      url: nats.url,
      user: 'client',
      password: 'c',
      name: 'late',
      onRetry: (reason) => reasons.push(reason),
    });
    await sleep(300);
    await nats.up();
    await (await waiting).close();
    expect(reasons.length).toBeGreaterThan(0);
  });

  it('lets a user wait whom the server does not know yet, and says that it is refused', async () => {
    const abort = new AbortController();
    const reasons: string[] = [];
    const waiting = connectNats({
      url: nats.url,
      user: 'client',
      password: 'wrong',
      name: 'x',
      signal: abort.signal,
      onRetry: (reason) => reasons.push(reason),
    });
    await sleep(500);
    abort.abort();
    await expect(waiting).rejects.toThrow();
    expect(reasons.length).toBeGreaterThan(1);
    expect(reasons[0]).toMatch(/authorization/i);
  });

  it('ends the wait when told to', async () => {
    const abort = new AbortController();
    const waiting = connectNats({
      url: 'nats://127.0.0.1:1',
      user: 'x',
      password: 'x',
      name: 'x',
      signal: abort.signal,
    });
    setTimeout(() => abort.abort(), 50);
    await expect(waiting).rejects.toThrow();
  });
});
