import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { useTestServers, type TestServers } from '@novacron/testkit/servers';
import { Child, get } from '../test/child.js';

let servers: TestServers;
let child: Child | undefined;

beforeAll(async () => {
  servers = await useTestServers({ nats: true });
});
afterAll(() => servers.stop());
afterEach(async () => {
  child?.kill('SIGKILL');
  await child?.ended;
});

const gatewayEnv = (): Record<string, string> => ({ ...servers.env('gateway'), NOVACRON_LOG_LEVEL: 'info' });
const orchestratorEnv = (): Record<string, string> => ({
  ...servers.env('orchestrator'),
  NOVACRON_LOG_LEVEL: 'info',
});
const http = (path: string) => get(`http://127.0.0.1:${gatewayEnv()['NOVACRON_HTTP_PORT']}${path}`);
const ops = (service: 'gateway' | 'orchestrator', path: string) =>
  get(`http://127.0.0.1:${servers.env(service)['NOVACRON_OPS_PORT']}${path}`);

async function startGateway(): Promise<Child> {
  child = Child.start('http', gatewayEnv());
  await child.until(async () => (await ops('gateway', '/ready')).status === 200);
  return child;
}

describe('a service that receives SIGTERM', () => {
  it('answers requests in flight, ends its waits, and exits with 0', async () => {
    const gateway = await startGateway();
    const slow = http('/slow');
    const wait = http('/wait');
    await gateway.until(() => /begun .slow/.test(gateway.output) && /begun .wait/.test(gateway.output));
    gateway.kill('SIGTERM');
    gateway.kill('SIGTERM');
    await gateway.until(async () => (await ops('gateway', '/ready')).status !== 200);
    expect(await wait).toMatchObject({ status: 200, body: '{"waited":true}', connection: 'close' });
    gateway.kill('SIGUSR2');
    expect(await slow).toMatchObject({ status: 200, body: '{"slow":true}', connection: 'close' });
    expect(await gateway.ended).toEqual({ code: 0, signal: null });
    expect(gateway.output.match(/"draining"/g)).toHaveLength(1);
  });

  it('is alive but not ready while it drains, and says so', async () => {
    const gateway = await startGateway();
    const slow = http('/slow');
    await gateway.until(() => /begun .slow/.test(gateway.output));
    gateway.kill('SIGTERM');
    await gateway.until(async () => (await ops('gateway', '/ready')).status === 503);
    const ready = await ops('gateway', '/ready');
    expect(JSON.parse(ready.body)).toMatchObject({
      ready: false,
      checks: { process: { ok: false, detail: 'draining' } },
    });
    expect((await ops('gateway', '/health')).status).toBe(200);
    gateway.kill('SIGUSR2');
    expect((await slow).status).toBe(200);
  });

  it('exits in bounded time when NATS is away', async () => {
    const gateway = await startGateway();
    await servers.nats.kill();
    try {
      await gateway.until(async () => (await ops('gateway', '/ready')).status === 503);
      gateway.kill('SIGTERM');
      // Exit code 1 would mean an abandoned step.
      expect((await gateway.ended).code).toBe(0);
    } finally {
      await servers.nats.start();
    }
  });

  it('exits in order when it still waits for a dependency', async () => {
    child = Child.start('rpc', { ...orchestratorEnv(), NOVACRON_PG_PRIMARY: '127.0.0.1:1' });
    await child.until(async () => (await ops('orchestrator', '/ready')).status === 503);
    child.kill('SIGTERM');
    expect((await child.ended).code).toBe(0);
  });
});

describe('a service in trouble', () => {
  it('names every mistake of its configuration and exits with 1', async () => {
    child = Child.start('rpc', { NOVACRON_OPS_PORT: 'x', NOVACRON_NATS_USER: 'y' });
    expect((await child.ended).code).toBe(1);
    for (const name of [
      'NOVACRON_OPS_PORT',
      'NOVACRON_NATS_PASSWORD',
      'NOVACRON_PG_PRIMARY',
      'NOVACRON_PG_API_PASSWORD',
    ]) {
      expect(child.output).toContain(name);
    }
  });

  it('logs an unhandled rejection and exits with 1', async () => {
    const gateway = await startGateway();
    await http('/reject');
    expect((await gateway.ended).code).toBe(1);
    expect(gateway.output).toContain('not handled');
  });

  it('idles under 200 MiB, and reports its queries', async () => {
    child = Child.start('rpc', orchestratorEnv());
    await child.until(async () => (await ops('orchestrator', '/ready')).status === 200);
    const resident = /^process_resident_memory_bytes (\d+)/m.exec(
      (await ops('orchestrator', '/metrics')).body,
    );
    expect(Number(resident?.[1])).toBeLessThan(200 * 1_048_576);
    const queries = JSON.parse((await ops('orchestrator', '/queries')).body) as { pools: unknown[] };
    expect(queries).toMatchObject({ slow: expect.any(Array), running: [] });
    expect(queries.pools.length).toBeGreaterThanOrEqual(2);
  });
});
