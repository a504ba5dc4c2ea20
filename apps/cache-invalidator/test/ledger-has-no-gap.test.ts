import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { NatsConnection } from '@nats-io/transport-node';
import { loadConfig } from '@novacron/config/load';
import type { RequestMeta } from '@novacron/contracts/envelope';
import { newId } from '@novacron/contracts/ids';
import { ledgerRpc, type LedgerStatus } from '@novacron/contracts/ledger';
import { connectNats } from '@novacron/messaging/connect';
import { RpcClient } from '@novacron/messaging/rpc-client';
import { createDatabase, type Database } from '@novacron/postgres/database';
import { startService, type RunningService } from '@novacron/service-kit/run';
import { createLogger } from '@novacron/telemetry/logger';
import { useTestServers } from '@novacron/testkit/servers';
import { eventually } from '@novacron/testkit/wait';
import { settings } from '../src/config.js';
import { service } from '../src/app.module.js';
import { eventOf, LINEAGE, readLineage, FakeOrchestrator } from './support/fake-orchestrator.js';

let servers: Awaited<ReturnType<typeof useTestServers>>;
let orchestrator: NatsConnection;
let gateway: NatsConnection;
let db: Database;
let owner: FakeOrchestrator;
const running: RunningService[] = [];
const logger = createLogger('test', 'silent');

beforeAll(async () => {
  servers = await useTestServers({ nats: true, redis: true });
  await readLineage(servers);
  orchestrator = await connectNats({ ...servers.natsLogin('orchestrator'), name: 'orchestrator' });
  gateway = await connectNats({ ...servers.natsLogin('gateway'), name: 'gateway' });
  owner = new FakeOrchestrator(orchestrator);
  await orchestrator.flush();
  const { postgres } = loadConfig(settings, servers.env('cache'));
  db = createDatabase({ ...postgres, schema: 'cache', role: 'sys', password: postgres.sysPassword, max: 2 });
});
afterAll(async () => {
  await db.close();
  await Promise.all([orchestrator.close(), gateway.close()]);
  await servers.stop();
});
beforeEach(() => start());
afterEach(() => Promise.all(running.splice(0).map((one) => one.stop())));

async function start(): Promise<RunningService> {
  const env = { ...servers.env('cache'), NOVACRON_OPS_PORT: '0', NOVACRON_CACHE_WARM: 'false' };
  const one = await startService(service, { env, logger });
  running.push(one);
  return one;
}

async function status(): Promise<LedgerStatus> {
  const meta: RequestMeta = {
    tenantId: newId(),
    principal: 'test',
    roles: ['platform_operator'],
    remainingMs: 30_000,
    consistency: 'causal',
    minPosition: null,
  };
  const { body } = await new RpcClient(gateway).request(ledgerRpc.status, meta, {});
  return ledgerRpc.status.reply.parse(body);
}

/** Waits until every committed event is recorded. */
async function complete(): Promise<LedgerStatus> {
  return eventually(async () => {
    owner.watermark();
    const now = await status();
    expect(now).toMatchObject({ contiguousSeq: owner.lastSeq, missing: 0, holes: [] });
    expect(now.watermark?.seq).toBe(owner.lastSeq);
    return now;
  });
}

/** The work leaves the ledger complete without a request for an event. A stall of a second causes one: then it retries. */
async function withoutRequests(work: () => Promise<void>): Promise<void> {
  const requested: number[] = [];
  while (requested.length < 5 && !requested.includes(0)) {
    const before = owner.requested.length;
    await work();
    await complete();
    requested.push(owner.requested.length - before);
  }
  expect(requested).toContain(0);
}

async function via(seqs: readonly number[]): Promise<string[]> {
  const text = 'SELECT via FROM cache.ledger WHERE seq = ANY ($1::bigint[]) ORDER BY seq';
  return (await db.primary.query<{ via: string }>({ text }, [seqs])).rows.map((row) => row.via);
}

describe('the ledger', () => {
  it('follows the stream, and knows the position up to which it is complete', async () => {
    await owner.commit(20);
    const now = await complete();
    expect(now).toMatchObject({ oldestHoleAgeMs: 0, watermark: { seq: 20, position: `${LINEAGE}.20` } });
  });

  it('tolerates repeated and reordered events', async () => {
    const seqs = await owner.commit(30, () => true);
    for (const seq of [...seqs].reverse()) await owner.publish(seq);
    for (const seq of seqs) await owner.publish(seq);
    await complete();
    expect(new Set(await via(seqs))).toEqual(new Set(['stream']));
    expect(await via(seqs)).toHaveLength(30);
  });

  it('fetches events that the stream did not deliver from the orchestrator, a second later', async () => {
    const seqs = await owner.commit(20, (seq) => seq % 5 === 0);
    await eventually(async () => expect((await status()).missing).toBeGreaterThan(0));
    await complete();
    expect(await via(seqs.filter((seq) => seq % 5 === 0))).toEqual(['fetch', 'fetch', 'fetch', 'fetch']);
  });

  it('detects by the watermark that the last events are missing', async () => {
    const seqs = await owner.commit(3, () => true);
    await complete();
    expect(await via(seqs)).toEqual(['fetch', 'fetch', 'fetch']);
  });

  it('fetches a gap that is larger than one answer', async () => {
    await owner.commit(1_200, () => true);
    await complete();
  });

  it('fetches a gap of large events, of which few fit one answer', async () => {
    owner.inOneAnswer = 7;
    const seqs = await owner.commit(60, () => true);
    await complete();
    owner.inOneAnswer = 500;
    expect(new Set(await via(seqs))).toEqual(new Set(['fetch']));
    expect((await status()).skipped).toBe(0);
  });

  it('sends no request while events are in flight', async () => {
    await withoutRequests(async () => {
      for (let i = 0; i < 10; i++) {
        await owner.commit(50);
        owner.watermark();
      }
    });
  });

  it('skips events that the orchestrator no longer has, and counts them', async () => {
    const { skipped } = await status();
    await owner.commit(10, () => true);
    const last = owner.lastSeq;
    await owner.commit(5);
    owner.purge(last);
    const now = await complete();
    expect(now.skipped - skipped).toBe(10);
  });

  it('keeps the event of the orchestrator when the stream delivers two under one number', async () => {
    const [seq] = (await owner.commit(1)) as [number];
    await complete();
    await owner.publish(seq, eventOf(seq));
    await eventually(() => expect(owner.requested.at(-1)).toEqual({ fromSeq: seq, toSeq: seq }));
    const text = 'SELECT event_id FROM cache.ledger WHERE seq = $1';
    await eventually(async () =>
      expect((await db.primary.query({ text }, [seq])).rows).toEqual([
        { event_id: owner.events.get(seq)?.id },
      ]),
    );
  });

  it('skips events of a database before a restore, and of a timeline that a promotion ended', async () => {
    const seqs = await owner.commit(2, () => true);
    const [first, second] = seqs as [number, number];
    const systemId = LINEAGE.split('.')[0];
    await owner.publish(first, { ...eventOf(first), position: `7000000000000000001.1.5` });
    await owner.publish(second, { ...eventOf(second), position: `${systemId}.0.5` });
    // Under both numbers the orchestrator's events are recorded, which were not published.
    await complete();
    expect(await via(seqs)).toEqual(['fetch', 'fetch']);
  });

  it('follows the watermark of a restored database though its numbers are lower', async () => {
    await complete();
    const { highestSeq } = await status();
    const mark = (position: string, seq: number) =>
      orchestrator.publish(
        'watermarks.orchestrator',
        JSON.stringify({ service: 'orchestrator', seq, position }),
      );
    mark('6000000000000000001.1.5', highestSeq + 1_000);
    owner.watermark();
    await owner.commit(1);
    await complete();
    expect((await status()).highestSeq).toBe(owner.lastSeq);
  });

  it('continues after a restart without a request', async () => {
    await owner.commit(10);
    await complete();
    await withoutRequests(async () => {
      await running.splice(0)[0]?.stop();
      await owner.commit(10);
      await start();
    });
  });

  it('is followed by one process of several, and by another one when that stops', async () => {
    await start();
    await owner.commit(10);
    await complete();
    await running.splice(0, 1)[0]?.stop();
    await owner.commit(10);
    await complete();
  });

  it('continues after NATS was killed', async () => {
    await owner.commit(5);
    await complete();
    await servers.nats.kill();
    await servers.nats.start();
    await eventually(() => owner.commit(1));
    await complete();
  });
});
