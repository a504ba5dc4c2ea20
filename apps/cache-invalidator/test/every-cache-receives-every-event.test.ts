import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { groupOf, keyOf } from '@novacron/cache/change';
import { metricsGroup } from '@novacron/cache/rules';
import { newId } from '@novacron/contracts/ids';
import { invalidationSubjects, type MetricsInvalidation } from '@novacron/contracts/invalidation';
import { isConnected } from '@novacron/messaging/connect';
import { metricsText } from '@novacron/telemetry/metrics';
import { freeze } from '@novacron/testkit/freeze';
import { ServiceProcess } from '@novacron/testkit/service-process';
import { makeStreams } from '@novacron/testkit/streams';
import { eventually } from '@novacron/testkit/wait';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { entryOf, LINEAGE, CacheHarness } from './support/cache-harness.js';

let harness: CacheHarness;
beforeAll(async () => void (harness = await CacheHarness.open()));
afterEach(() => harness.stopServices());
afterAll(() => harness.close());

/** Another process, as it is shipped: one that can be killed. */
async function startProcess(name: string): Promise<ServiceProcess> {
  const env = harness.env({
    NOVACRON_OPS_PORT: harness.servers.env('gateway')['NOVACRON_OPS_PORT'] as string,
  });
  const one = new ServiceProcess('cache-invalidator', env, name);
  await one.start();
  return one;
}

async function held(tenantId: string, id: string, enough: bigint | null) {
  const place = { lineage: LINEAGE, key: keyOf(tenantId, 'vm', id), group: null };
  return (await harness.l2.get(place, tenantId, { enough })).entry;
}

async function fill(tenantId: string, id: string, version: number, position: bigint): Promise<boolean> {
  const place = { lineage: LINEAGE, key: keyOf(tenantId, 'vm', id), group: null };
  return harness.l2.fill(place, entryOf(tenantId, version, position));
}

describe('an event', () => {
  it('leaves its tombstone in Redis, is broadcast, and moves the watermark of each gateway', async () => {
    await harness.start();
    await harness.fakeOrchestrator.commit(1);
    await harness.allReceived();
    const tenantId = newId<string>();
    const resourceId = newId<string>();
    const next = BigInt(harness.fakeOrchestrator.lastSeq + 1);
    expect(await fill(tenantId, resourceId, 1, next - 1n)).toBe(true);
    await harness.fakeOrchestrator.commit(1, undefined, { tenantId, resourceId, version: 2 });
    await harness.allReceived();
    expect(await held(tenantId, resourceId, null)).toBeUndefined();
    expect(await fill(tenantId, resourceId, 1, next + 5n)).toBe(false);
    expect(await fill(tenantId, resourceId, 2, next)).toBe(true);
    await eventually(async () => {
      const { invalidations, lagEvents } = await harness.stats();
      expect(invalidations).toMatchObject({ events: 2, owed: 0, forgotten: 0, removed: 1 });
      expect(lagEvents).toBe(0);
    });
  });

  it('of every kind is broadcast at once, also when no cache holds the kind', async () => {
    await harness.start();
    await harness.fakeOrchestrator.commit(1);
    await harness.allReceived();
    const times: number[] = [];
    for (const kind of ['vm', 'job', 'host', 'image', 'zone', 'quota'] as const) {
      for (let i = 0; i < 20; i++) {
        const before = performance.now();
        const [seq] = await harness.fakeOrchestrator.commit(1, undefined, { kind, tenantId: 'platform' });
        while (harness.fakeGateway.missing([seq as number]).length > 0) await sleep(1);
        times.push(performance.now() - before);
      }
    }
    times.sort((a, b) => a - b);
    process.stdout.write(
      `publish → received: p50 ${times[60]?.toFixed(1)} ms, p99 ${times[118]?.toFixed(1)} ms\n`,
    );
    // Before the gap filler would fetch it, which takes a second.
    expect(times[60]).toBeLessThan(900);
    await eventually(async () => {
      const text = await metricsText();
      expect(text).toMatch(/novacron_cache_invalidation_duration_seconds_count\{since="stream"\} \d+/);
      expect(text).toMatch(/novacron_cache_oldest_pending_invalidation_seconds 0/);
    });
  });

  it('is published by one of several instances that share the work', async () => {
    const instances = [await harness.start(), await harness.start()];
    await harness.fakeOrchestrator.commit(300);
    await harness.allReceived();
    await eventually(async () =>
      expect((await harness.stats()).ledger).toMatchObject({
        missing: 0,
        contiguousSeq: harness.fakeOrchestrator.lastSeq,
      }),
    );
    expect(instances).toHaveLength(2);
  });
});

describe('new points', () => {
  it('invalidate the metrics of their VM in Redis', async () => {
    await harness.start();
    const [tenantId, vmId] = [newId<string>(), newId<string>()];
    const key = keyOf(tenantId, 'metrics-latest', vmId);
    const place = { lineage: LINEAGE, key, group: groupOf(tenantId, metricsGroup(vmId)) };
    await harness.l2.fill(place, entryOf(tenantId, null, 5n));
    const invalidation: MetricsInvalidation = {
      source: 'one',
      n: 1,
      complete: null,
      v: 1,
      vmIds: [vmId],
      tenantIds: [tenantId],
      position: `${LINEAGE}.9`,
      at: Date.now(),
    };
    harness.metrics.publish(invalidationSubjects.metrics, JSON.stringify(invalidation));
    await eventually(async () =>
      expect((await harness.l2.get(place, tenantId, { enough: null })).entry).toBeUndefined(),
    );
    expect(await harness.l2.fill(place, entryOf(tenantId, null, 8n))).toBe(false);
    expect(await harness.l2.fill(place, entryOf(tenantId, null, 9n))).toBe(true);
  });
});

describe('no event is missed', () => {
  it('when one of two instances is killed with events in hand', async () => {
    const dying = await startProcess('dying');
    try {
      await harness.start();
      await harness.fakeOrchestrator.commit(20);
      // A stopped process receives its share and does not publish it: as if killed between the event and the tombstone.
      freeze(dying.pid);
      await harness.fakeOrchestrator.commit(200);
    } finally {
      await dying.kill();
    }
    const before = performance.now();
    await harness.allReceived();
    process.stdout.write(
      `killed in hand → all published after ${Math.round(performance.now() - before)} ms\n`,
    );
  });

  it('while Redis is stopped: broadcasts go on, L2 answers no reader below its position, and the retry queue is flushed', async () => {
    await harness.start();
    const tenantId = newId<string>();
    const resourceId = newId<string>();
    const before = BigInt(harness.fakeOrchestrator.lastSeq);
    expect(await fill(tenantId, resourceId, 1, before)).toBe(true);
    let seen: bigint;
    freeze(harness.servers.redis.pid);
    try {
      await harness.fakeOrchestrator.commit(30);
      await harness.fakeOrchestrator.commit(1, undefined, { tenantId, resourceId, version: 2 });
      seen = BigInt(harness.fakeOrchestrator.lastSeq);
      await harness.allReceived();
      expect((await harness.stats()).invalidations.owed).toBeGreaterThan(0);
    } finally {
      process.kill(harness.servers.redis.pid as number, 'SIGCONT');
    }
    // A lookup at once: the old entry is still there, without its tombstone.
    expect(await held(tenantId, resourceId, seen)).toBeUndefined();
    await eventually(async () => {
      expect((await harness.stats()).invalidations).toMatchObject({ owed: 0, forgotten: 0 });
      expect(await held(tenantId, resourceId, null)).toBeUndefined();
    });
  });

  it('while NATS is away and events are committed', async () => {
    await harness.start();
    await harness.fakeOrchestrator.commit(5);
    await harness.allReceived();
    await harness.servers.nats.kill();
    const lost = await harness.fakeOrchestrator.commit(10, () => true);
    await sleep(3_000).finally(() => harness.servers.nats.start());
    await eventually(() =>
      expect(isConnected(harness.orchestrator) && isConnected(harness.gateway)).toBe(true),
    );
    harness.fakeGateway.coherence.onReconnect();
    for (const seq of lost.slice(0, 5)) await harness.fakeOrchestrator.publish(seq);
    await harness.allReceived();
  });

  it('when JetStream loses everything that it had stored', async () => {
    await harness.start();
    await harness.fakeOrchestrator.commit(5);
    await harness.allReceived();
    await harness.stopServices();
    const unseen = await harness.fakeOrchestrator.commit(20);
    await harness.servers.nats.kill();
    rmSync(join(harness.servers.dir, 'nats', 'jetstream'), { recursive: true });
    await harness.servers.nats.start();
    await makeStreams(harness.servers.natsLogin('admin'));
    await eventually(() =>
      expect(isConnected(harness.orchestrator) && isConnected(harness.gateway)).toBe(true),
    );
    harness.fakeGateway.coherence.onReconnect();
    await harness.start();
    expect(harness.fakeGateway.missing(unseen)).toEqual(unseen);
    await harness.fakeOrchestrator.commit(5);
    await harness.allReceived();
  });
});
