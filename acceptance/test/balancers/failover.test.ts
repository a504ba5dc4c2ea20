import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AnotherGateway, startAnotherGateway } from '@novacron/local-stack/stack/another-gateway';
import { note } from '@novacron/testkit/note';
import { type TestStack, useTestStack } from '@novacron/testkit/stack';
import { privateDirectory } from '@novacron/testkit/test-home';
import { readUntil } from '@novacron/testkit/wait';
import { Api, guideBody } from '../e2e/support/api.js';
import { Balancer, type BalancerKind, canRun } from './support/balancer.js';
import { type Certificate, makeCertificate } from './support/certificate.js';
import { Client, json } from './support/client.js';
import { load, type Load } from './support/load.js';

const KINDS = (['nginx', 'haproxy'] as const).filter(canRun);

// Skipped without nginx and HAProxy. As root `npm test` installs them by apt, or prints a warning.
(KINDS.length > 0 ? describe : describe.skip)(`${KINDS.join(' and ')} before two gateways`, () => {
  let certificate: Certificate;
  let stack: TestStack;
  let api: Api;
  let second: AnotherGateway;
  let vmId: string;
  const longWaits: Promise<[string, number, string]>[] = [];
  const ends: (() => Promise<void> | void)[] = [];

  beforeAll(async () => {
    certificate = makeCertificate(privateDirectory());
    stack = await useTestStack({ simHosts: 2, replica: false });
    api = new Api(stack.url, stack.token);
    vmId = (await api.create(guideBody('read-all-the-time'))).body.id;
    // The waits last while requests come and go, at the gateway that stays.
    for (const kind of KINDS) longWaits.push(longWait(kind));
    for (const waiting of longWaits) waiting.catch(() => undefined);
    second = await startAnotherGateway(stack);
  }, 180_000);
  afterAll(async () => {
    for (const end of ends) await end();
    await second?.end('SIGKILL');
    await stack?.remove();
  }, 60_000);

  const through = async (kind: BalancerKind, gateways: readonly string[]) => {
    const balancer = await Balancer.start(kind, { gateways, certificate });
    const client = new Client(balancer.httpsPort, certificate.ca, 16);
    ends.unshift(() => {
      client.close();
      return balancer.stop();
    });
    return { balancer, client };
  };
  const stays = () => new URL(stack.url).host;

  const longWait = async (kind: BalancerKind): Promise<[string, number, string]> => {
    const { client } = await through(kind, [stays()]);
    const begun = performance.now();
    const headers = { authorization: `Bearer ${stack.token}` };
    const answer = await client.ask(`/api/v1/vms/${vmId}/wait?state=paused&timeout=30`, { headers });
    return [kind, Math.round((performance.now() - begun) / 1_000), json(answer).code];
  };

  /** Ends the second gateway by a signal while both balancers are under load, and restarts it before the load ends. */
  const goesAway = async (signal: NodeJS.Signals): Promise<void> => {
    const gateways = [stays(), `127.0.0.1:${second.httpPort}`];
    const over = new AbortController();
    const loaded = await Promise.all(KINDS.map((kind) => through(kind, gateways)));
    const loads = loaded.map(({ balancer: { kind }, client }) =>
      load(client, { lanes: 8, token: stack.token, prefix: prefix(kind, signal), vmId }, over.signal),
    );
    try {
      const shares = async () => loaded.map(({ balancer }) => Math.min(...balancer.served(gateways)));
      await readUntil(shares, (least) => least.every((served) => served >= 20), 60_000);
      expect(await second.end(signal)).toBe(signal === 'SIGTERM' ? 0 : null);
      await sleep(1_000);
      second = await startAnotherGateway(stack, { httpPort: second.httpPort });
      await sleep(500);
    } finally {
      over.abort();
    }
    const all = await Promise.all(loads);
    for (const [index, { balancer }] of loaded.entries())
      await expectNothingFailed(balancer, signal, all[index] as Load, balancer.served(gateways));
  };
  const prefix = (kind: BalancerKind, signal: NodeJS.Signals) => `${kind}-${signal.toLowerCase()}`;

  const expectNothingFailed = async (
    balancer: Balancer,
    signal: NodeJS.Signals,
    { answered, failures, inProgress, created, slowestMs }: Load,
    served: readonly number[],
  ): Promise<void> => {
    const [retried, slowest] = [balancer.retried(), Math.round(slowestMs)];
    note(
      `${balancer.kind}, ${signal}: ${answered} requests (${served.join(' and ')} to the two), ${retried} sent twice, ${failures.length} failed, ${inProgress} creates asked again, slowest ${slowest} ms`,
    );
    expect(failures).toEqual([]);
    if (signal === 'SIGKILL') expect(retried).toBeGreaterThan(0);
    // Each create made one VM, even when it was sent twice, and its answer names the VM.
    const made = (await api.list(`${prefix(balancer.kind, signal)}-`)).map(({ id }) => id).sort();
    expect(made).toEqual([...created.values()].sort());
  };

  it('no idempotent request fails when one is killed', () => goesAway('SIGKILL'), 120_000);
  it('no idempotent request fails when one drains', () => goesAway('SIGTERM'), 120_000);
  it.each(KINDS)(
    '%s: what was read through it, compressed or not, can be changed with its ETag',
    async (kind) => {
      const { client } = await through(kind, [stays()]);
      const headers = { authorization: `Bearer ${stack.token}`, 'accept-encoding': 'gzip' };
      const path = `/api/v1/vms/${vmId}`;
      const patch = (tags: object, more: Record<string, string> = {}) =>
        client.ask(path, {
          method: 'PATCH',
          headers: { ...headers, 'content-type': 'application/json', ...more },
          body: JSON.stringify({ tags }),
        });
      // Large enough for compression.
      const note = 'x'.repeat(200);
      expect((await patch({ a: note, b: note, c: note, d: note, e: note })).status).toBe(200);
      const read = await client.ask(path, { headers });
      expect(read.headers['content-encoding']).toBe('gzip');
      const match = { 'if-match': read.headers.etag ?? '' };
      expect((await patch({ a: 'small again' }, match)).status).toBe(200);
      expect((await patch({ a: 'too late' }, match)).status).toBe(412);
    },
  );

  it('a wait of 30 s gets its answer', async () => {
    for (const [kind, seconds, code] of await Promise.all(longWaits)) {
      expect([kind, code]).toEqual([kind, 'wait_timeout']);
      expect(seconds).toBeGreaterThanOrEqual(29);
    }
  });
});
