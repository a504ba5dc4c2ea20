import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { groupOf, keyOf } from '@novacron/cache/change';
import { HOT_HOUR, lastHourId } from '@novacron/cache/last-hour';
import { metricsGroup } from '@novacron/cache/rules';
import { cacheRpc } from '@novacron/contracts/cache-stats';
import { newId } from '@novacron/contracts/ids';
import { metricsRpc } from '@novacron/contracts/metrics';
import { vmsRpc } from '@novacron/contracts/vms';
import { eventually } from '@novacron/testkit/wait';
import { SERVICE } from '../src/messages/request-meta.js';
import { entryOf, LINEAGE, CacheHarness } from './support/cache-harness.js';

const COUNT = 620;
const tenantId = newId<string>();
const vms = Array.from({ length: COUNT }, () => ({ id: newId<string>(), tenantId, version: 2 }));
const requested: { tenantId: string; state?: string[]; limit: number; sort: string }[] = [];

let harness: CacheHarness;
beforeAll(async () => {
  harness = await CacheHarness.open();
  const read = { ok: true, position: `${LINEAGE}.51`, holds: `${LINEAGE}.50`, servedFrom: 'replica' };
  harness.orchestrator.subscribe(vmsRpc.list.subject, {
    callback: (_, message) => {
      const { body, ...meta } = message.json<{
        tenantId: string;
        body: { limit: number; cursor?: string; sort: string };
      }>();
      requested.push({ tenantId: meta.tenantId, ...body });
      const from = Number(body.cursor ?? 0);
      const items = meta.tenantId === tenantId ? vms.slice(from, from + body.limit) : [];
      const nextCursor = from + body.limit < COUNT && items.length > 0 ? String(from + body.limit) : null;
      message.respond(JSON.stringify({ ...read, body: { items, nextCursor } }));
    },
  });
  for (const { subject } of [metricsRpc.latest, metricsRpc.range]) {
    harness.metrics.subscribe(subject, {
      callback: (_, message) => {
        const { body } = message.json<{ body: object }>();
        message.respond(JSON.stringify({ ...read, body }));
      },
    });
  }
  await Promise.all([harness.orchestrator.flush(), harness.metrics.flush()]);
  await harness.start();
  await harness.fakeOrchestrator.commit(1, undefined, { tenantId });
  await harness.allReceived();
  await eventually(async () => expect((await harness.stats()).ledger.contiguousSeq).toBe(1));
  await harness.stopServices();
});
afterEach(() => harness.stopServices());
afterAll(() => harness.close());

const vmPlace = (id: string) => ({ lineage: LINEAGE, key: keyOf(tenantId, 'vm', id), group: null });
const metricsPlace = (id: string, type = 'metrics-latest', key = id) => ({
  lineage: LINEAGE,
  key: keyOf(tenantId, type, key),
  group: groupOf(tenantId, metricsGroup(id)),
});

async function warmed() {
  return eventually(async () => {
    const { warm } = await harness.stats();
    expect([warm.state, warm.reason]).toEqual(['done', null]);
    return warm;
  });
}

describe('warming', () => {
  it('loads running VMs in bulk and their latest metrics, within its bounds, and never replaces a newer entry', async () => {
    const [first, second] = vms as [(typeof vms)[0], (typeof vms)[0]];
    const newer = entryOf(tenantId, 3, 60n, { ...first, version: 3 });
    expect(await harness.l2.fill(vmPlace(first.id), newer)).toBe(true);
    await harness.start({
      NOVACRON_CACHE_WARM: 'true',
      NOVACRON_CACHE_WARM_VMS_OF_TENANT: '510',
      NOVACRON_CACHE_WARM_METRICS: '3',
      NOVACRON_CACHE_WARM_RATE: '100',
    });
    expect(await warmed()).toMatchObject({ tenants: 1, vms: 510, metrics: 3, refused: 1 });
    expect(requested).toEqual([
      { tenantId, state: ['running'], sort: '-createdAt', limit: 500 },
      { tenantId, state: ['running'], sort: '-createdAt', limit: 10, cursor: '500' },
    ]);
    expect((await harness.l2.get(vmPlace(first.id), tenantId, { enough: 50n })).entry?.version).toBe(3);
    const { entry } = await harness.l2.get(vmPlace(second.id), tenantId, { enough: 50n });
    expect(entry).toMatchObject({ version: 2, position: 50n, seen: 51n, status: 200 });
    expect(JSON.parse(String(entry?.bytes))).toEqual(second);
    expect((await harness.l2.get(vmPlace(second.id), tenantId, { enough: 51n })).entry).toBeUndefined();
    expect((await harness.l2.get(metricsPlace(second.id), tenantId, { enough: 50n })).entry).toBeDefined();
    const place = metricsPlace(second.id, 'metrics-hour', lastHourId(second.id, HOT_HOUR));
    const hour = (await harness.l2.get(place, tenantId, { enough: 50n })).entry;
    const { from, to, ...question } = JSON.parse(String(hour?.bytes)) as { from: number; to: number };
    expect(question).toEqual({ vmId: second.id, metric: HOT_HOUR.metric, agg: 'avg', step: 30 });
    expect([from % 30_000, Math.floor((to - from) / 30_000)]).toEqual([0, 120]);
    expect(
      (await harness.l2.get(vmPlace(vms[510]?.id as string), tenantId, { enough: null })).entry,
    ).toBeUndefined();
  });

  it('runs again on request, one run at a time', async () => {
    await harness.start({ NOVACRON_CACHE_WARM_METRICS: '0' });
    const before = requested.length;
    const [a, b] = await Promise.all([1, 2].map(() => harness.rpc.request(cacheRpc.warm, SERVICE, {})));
    expect([a?.body.state, b?.body.state]).toEqual(['running', 'running']);
    expect(await warmed()).toMatchObject({ vms: 500 });
    expect(requested.length - before).toBe(1);
  });
});
