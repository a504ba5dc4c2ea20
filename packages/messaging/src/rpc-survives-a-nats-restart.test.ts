import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NatsConnection } from '@nats-io/transport-node';
import { ServiceError } from '@novacron/contracts/errors';
import { eventually, until } from '@novacron/testkit/wait';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestNats } from '../test/nats-server.js';
import { echo, handled, meta, slow, startService, type TestService } from '../test/rpc-harness.js';
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

describe('a NATS server that is killed and restarted under traffic', () => {
  it('fails requests in bounded time, and serves them again without a restart of the client', async () => {
    let stop = false;
    const outcomes: { code: string; ms: number }[] = [];
    const traffic = (async () => {
      while (!stop) {
        const startedAt = performance.now();
        const code = await client.request(echo, meta(8_000), { text: '' }).then(
          () => 'ok',
          (error: unknown) => (error instanceof ServiceError ? error.code : String(error)),
        );
        outcomes.push({ code, ms: performance.now() - startedAt });
        await sleep(5);
      }
    })();
    const lately = (count: number, code: string) => () =>
      outcomes.length >= count && outcomes.slice(-count).every((outcome) => outcome.code === code);
    try {
      await until(lately(10, 'ok'));
      await nats.kill();
      await until(lately(20, 'dependency_down'));
      await nats.up();
      await until(lately(20, 'ok'));
    } finally {
      stop = true;
      await traffic;
    }
    // Never `deadline_exceeded`: no request may wait until its deadline.
    expect(new Set(outcomes.map(({ code }) => code))).toEqual(new Set(['ok', 'dependency_down']));
    expect(Math.max(...outcomes.map(({ ms }) => ms))).toBeLessThan(6_000);
  });

  it('does not hold requests in flight, whose replies are lost, until their deadlines', async () => {
    const before = handled.begun;
    const restarted = until(() => handled.begun > before)
      .then(() => nats.kill())
      .then(() => nats.up());
    // A caller that waits longer receives its reply after the reconnect.
    const waiting = client.request(slow, meta(), { ms: 6_000 });
    await expect(waiting).rejects.toMatchObject({ code: 'dependency_down' });
    await restarted;
    const again = () => client.request(echo, meta(), { text: 'again' });
    expect((await eventually(again)).body.text).toBe('again');
  });

  it('holds no request beyond its deadline when it hangs with open connections', async () => {
    nats.signal('SIGSTOP');
    try {
      const startedAt = performance.now();
      await expect(client.request(echo, meta(300), { text: '' })).rejects.toMatchObject({
        code: 'deadline_exceeded',
      });
      expect(performance.now() - startedAt).toBeLessThan(10_000);
    } finally {
      nats.signal('SIGCONT');
    }
    expect((await client.request(echo, meta(), { text: 'again' })).body.text).toBe('again');
  });

  it('is awaited by a service that starts earlier, which logs the reason', async () => {
    await nats.kill();
    const reasons: string[] = [];
    const waiting = connectNats({
      url: nats.url,
      user: 'client',
      password: 'c',
      name: 'late',
      onRetry: (reason) => reasons.push(reason),
    });
    await until(() => reasons.length > 0);
    await nats.up();
    await (await waiting).close();
  });

  it('is awaited by a user that it does not know yet, which logs the refusal', async () => {
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
    await until(() => reasons.length > 1);
    abort.abort();
    await expect(waiting).rejects.toThrow();
    expect(reasons[0]).toMatch(/authorization/i);
  });

  it('stops waiting when the signal fires', async () => {
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
