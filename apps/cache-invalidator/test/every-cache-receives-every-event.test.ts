import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { groupOf, keyOf } from '@novacron/cache/change';
import { metricsGroup } from '@novacron/cache/rules';
import { newId } from '@novacron/contracts/ids';
import { invalidationSubjects, type MetricsInvalidation } from '@novacron/contracts/invalidation';
import { isConnected } from '@novacron/messaging/connect';
import { metricsText } from '@novacron/telemetry/metrics';
import { ServiceProcess } from '@novacron/testkit/proc';
import { makeStreams } from '@novacron/testkit/streams';
import { eventually } from '@novacron/testkit/wait';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { entryOf, HISTORY, Stage } from './support/cache-harness.js';

let stage: Stage;
beforeAll(async () => void (stage = await Stage.open()));
afterEach(() => stage.stopServices());
afterAll(() => stage.close());

/** Another process, as it is shipped: one that can be killed. */
async function startProcess(name: string): Promise<ServiceProcess> {
  const env = stage.env({ NOVACRON_OPS_PORT: stage.servers.env('gateway')['NOVACRON_OPS_PORT'] as string });
  const one = new ServiceProcess('cache-invalidator', env, name);
  await one.start();
  return one;
}

async function held(tenantId: string, id: string, enough: bigint | null) {
  const place = { history: HISTORY, key: keyOf(tenantId, 'vm', id), group: null };
  return (await stage.l2.get(place, tenantId, { enough })).entry;
}

async function fill(tenantId: string, id: string, version: number, position: bigint): Promise<boolean> {
  const place = { history: HISTORY, key: keyOf(tenantId, 'vm', id), group: null };
  return stage.l2.fill(place, entryOf(tenantId, version, position));
}

describe('an event', () => {
  it('leaves its tombstone in Redis, is broadcast, and moves the watermark of who listens', async () => {
    await stage.start();
    await stage.owner.commit(1);
    await stage.told();
    const tenantId = newId<string>();
    const resourceId = newId<string>();
    const next = BigInt(stage.owner.lastSeq + 1);
    expect(await fill(tenantId, resourceId, 1, next - 1n)).toBe(true);
    await stage.owner.commit(1, undefined, { tenantId, resourceId, version: 2 });
    await stage.told();
    expect(await held(tenantId, resourceId, null)).toBeUndefined();
    expect(await fill(tenantId, resourceId, 1, next + 5n)).toBe(false);
    expect(await fill(tenantId, resourceId, 2, next)).toBe(true);
    await eventually(async () => {
      const { invalidations, lagEvents } = await stage.stats();
      expect(invalidations).toMatchObject({ events: 2, owed: 0, forgotten: 0, removed: 1 });
      expect(lagEvents).toBe(0);
    });
  });

  it('is broadcast at once, of every kind, also of those that no cache holds', async () => {
    await stage.start();
    await stage.owner.commit(1);
    await stage.told();
    const times: number[] = [];
    for (const kind of ['vm', 'job', 'host', 'image', 'zone', 'quota'] as const) {
      for (let i = 0; i < 20; i++) {
        const before = performance.now();
        const [seq] = await stage.owner.commit(1, undefined, { kind, tenantId: 'platform' });
        while (stage.listener.missing([seq as number]).length > 0) await sleep(1);
        times.push(performance.now() - before);
      }
    }
    times.sort((a, b) => a - b);
    process.stdout.write(
      `publish → heard: p50 ${times[60]?.toFixed(1)} ms, p99 ${times[118]?.toFixed(1)} ms\n`,
    );
    // Not by whoever finds out a second later that it is missing.
    expect(times[60]).toBeLessThan(900);
    await eventually(async () => {
      const text = await metricsText();
      expect(text).toMatch(/novacron_cache_invalidation_duration_seconds_count\{since="stream"\} \d+/);
      expect(text).toMatch(/novacron_cache_oldest_pending_invalidation_seconds 0/);
    });
  });

  it('is told by one of several instances that share the work', async () => {
    const instances = [await stage.start(), await stage.start()];
    await stage.owner.commit(300);
    await stage.told();
    await eventually(async () =>
      expect((await stage.stats()).ledger).toMatchObject({ missing: 0, contiguousSeq: stage.owner.lastSeq }),
    );
    expect(instances).toHaveLength(2);
  });
});

describe('new points', () => {
  it('make what Redis holds of the metrics of their VM old', async () => {
    await stage.start();
    const [tenantId, vmId] = [newId<string>(), newId<string>()];
    const key = keyOf(tenantId, 'metrics-latest', vmId);
    const place = { history: HISTORY, key, group: groupOf(tenantId, metricsGroup(vmId)) };
    await stage.l2.fill(place, entryOf(tenantId, null, 5n));
    const told: MetricsInvalidation = {
      source: 'one',
      n: 1,
      complete: null,
      v: 1,
      vmIds: [vmId],
      tenantIds: [tenantId],
      position: `${HISTORY}.9`,
      at: Date.now(),
    };
    stage.metrics.publish(invalidationSubjects.metrics, JSON.stringify(told));
    await eventually(async () =>
      expect((await stage.l2.get(place, tenantId, { enough: null })).entry).toBeUndefined(),
    );
    expect(await stage.l2.fill(place, entryOf(tenantId, null, 8n))).toBe(false);
    expect(await stage.l2.fill(place, entryOf(tenantId, null, 9n))).toBe(true);
  });
});

describe('no event is missed', () => {
  it('when one of two instances is killed with events in hand', async () => {
    const dying = await startProcess('dying');
    try {
      await stage.start();
      await stage.owner.commit(20);
      // Stopped it takes its share and tells nobody: as if killed between the event and the tombstone.
      process.kill(dying.pid as number, 'SIGSTOP');
      await stage.owner.commit(200);
    } finally {
      await dying.kill();
    }
    const before = performance.now();
    await stage.told();
    process.stdout.write(`killed in hand → all told after ${Math.round(performance.now() - before)} ms\n`);
  });

  it('while Redis is stopped: the word goes on, L2 answers nobody with less than he saw, and pays its debts', async () => {
    await stage.start();
    const tenantId = newId<string>();
    const resourceId = newId<string>();
    const before = BigInt(stage.owner.lastSeq);
    expect(await fill(tenantId, resourceId, 1, before)).toBe(true);
    let seen: bigint;
    process.kill(stage.servers.redis.pid as number, 'SIGSTOP');
    try {
      await stage.owner.commit(30);
      await stage.owner.commit(1, undefined, { tenantId, resourceId, version: 2 });
      seen = BigInt(stage.owner.lastSeq);
      await stage.told();
      expect((await stage.stats()).invalidations.owed).toBeGreaterThan(0);
    } finally {
      process.kill(stage.servers.redis.pid as number, 'SIGCONT');
    }
    // A fresh look at once: the old entry is still there, without its tombstone.
    expect(await held(tenantId, resourceId, seen)).toBeUndefined();
    await eventually(async () => {
      expect((await stage.stats()).invalidations).toMatchObject({ owed: 0, forgotten: 0 });
      expect(await held(tenantId, resourceId, null)).toBeUndefined();
    });
  });

  it('while NATS is cut, and events are committed meanwhile', async () => {
    await stage.start();
    await stage.owner.commit(5);
    await stage.told();
    await stage.servers.nats.kill();
    const lost = await stage.owner.commit(10, () => true);
    await sleep(3_000).finally(() => stage.servers.nats.start());
    await eventually(() => expect(isConnected(stage.orchestrator) && isConnected(stage.gateway)).toBe(true));
    stage.listener.coherence.onReconnect();
    for (const seq of lost.slice(0, 5)) await stage.owner.publish(seq);
    await stage.told();
  });

  it('when all that JetStream had stored is lost', async () => {
    await stage.start();
    await stage.owner.commit(5);
    await stage.told();
    await stage.stopServices();
    const unseen = await stage.owner.commit(20);
    await stage.servers.nats.kill();
    rmSync(join(stage.servers.dir, 'nats', 'jetstream'), { recursive: true });
    await stage.servers.nats.start();
    await makeStreams(stage.servers.natsLogin('admin'));
    await eventually(() => expect(isConnected(stage.orchestrator) && isConnected(stage.gateway)).toBe(true));
    stage.listener.coherence.onReconnect();
    await stage.start();
    expect(stage.listener.missing(unseen)).toEqual(unseen);
    await stage.owner.commit(5);
    await stage.told();
  });
});
