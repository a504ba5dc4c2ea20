import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { metricPartition, metricSubject } from '@novacron/contracts/metrics';
import { newId } from '@novacron/contracts/ids';
import type { Database } from '@novacron/postgres/database';
import { AccountReader } from '../src/query/account-reader.js';
import { MetricNames } from '../src/store/metric-names.js';
import { batchOf, metaOf, newVm, MetricsHarness, type Point, type TestVm } from './metrics-harness.js';

let harness: MetricsHarness;
beforeAll(async () => {
  harness = await MetricsHarness.open();
});
afterEach(() => harness.stopIngesters());
afterAll(() => harness.close());

const start = Date.now() - 600_000;
const names = (from: number, count: number) => Array.from({ length: count }, (_, i) => `flood_${from + i}`);

/** Pushes one point under each name, as the tenant would. */
async function push(vm: TestVm, metrics: string[]): Promise<void> {
  const points = metrics.map((): Point => [start, 1]);
  const batch = { ...batchOf(vm, '', points, 'gateway'), metrics, metric: metrics.map((_, i) => i) };
  await harness.js.publish(metricSubject(metricPartition(vm.vmId), 'gateway'), JSON.stringify(batch));
}

/** A VM whose points have the same partition. */
function besides(vm: TestVm): TestVm {
  for (;;) {
    const other = newVm();
    if (metricPartition(other.vmId) === metricPartition(vm.vmId)) return other;
  }
}

async function rows(vm: TestVm): Promise<number> {
  const text = 'SELECT count(*)::int AS n FROM metrics.points WHERE vm_id = $1';
  return (await harness.sys.primary.query<{ n: number }>({ text }, [vm.vmId])).rows[0]?.n ?? 0;
}

/** The database with a count of statements sent to the primary. */
function counting(): { db: Database; sent: () => number } {
  let sent = 0;
  const { primary } = harness.sys;
  const counted: Database['primary'] = {
    ...primary,
    query: (...given: Parameters<typeof primary.query>) => (sent++, primary.query(...given)) as never,
    batch: (options, calls) => ((sent += calls.length), primary.batch(options, calls)),
  };
  return { db: { ...harness.sys, primary: counted }, sent: () => sent };
}

describe('a tenant that pushes 11,000 new names', () => {
  it('keeps the first 10,000, and delays no point of another tenant in the same partition', async () => {
    const flooding = await harness.place(newVm());
    const quiet = await harness.place(besides(flooding));
    await harness.ingest();
    for (let i = 0; i < 11; i++) {
      await push(flooding, names(i * 1_000, 1_000));
      await harness.publish(quiet, 'cpu_usage', [[start + i, i]]);
    }
    await harness.settled();
    expect(await rows(flooding)).toBe(10_000);
    expect(await rows(quiet)).toBe(11);
    const { body } = await new AccountReader(harness.api).account(metaOf(flooding));
    expect(body).toMatchObject({
      names: { used: 10_000, limit: 10_000 },
      dropped: [{ reason: 'too_many_names', points: 1_000, last: { vmId: flooding.vmId } }],
    });
    // Names beyond the limit continue to arrive. Points of known names and of other tenants are still stored.
    await push(flooding, [...names(20_000, 500), 'flood_7']);
    await harness.publish(quiet, 'cpu_usage', [[start + 11, 11]]);
    await harness.settled();
    expect([await rows(flooding), await rows(quiet)]).toEqual([10_000 + 1, 12]);
  });

  it('costs as many statements as its limit allows names, and none once it is reached', async () => {
    const { db, sent } = counting();
    let now = 0;
    const known = new MetricNames(db, { perTenant: 1_200, now: () => now });
    const tenant = newId<string>();
    const learn = (some: string[]) => known.learn(some.map((name) => [tenant, name] as const));
    await learn(names(0, 10_000));
    const first = sent();
    expect(first).toBeLessThan(20);
    await learn(names(10_000, 10_000));
    expect(sent()).toBe(first);
    expect(names(0, 1_200).filter((name) => known.idOf(tenant, name) === undefined)).toEqual([]);
    expect(known.idOf(tenant, 'flood_1200')).toBeUndefined();
    now += 120_000;
    await learn(names(20_000, 10_000));
    expect(sent() - first).toBeLessThan(10);
  });

  it('does not exceed its limit when two processes learn names at once', async () => {
    const tenant = newId<string>();
    const learn = (from: number) =>
      new MetricNames(harness.sys, { perTenant: 700 }).learn(
        names(from, 1_000).map((name) => [tenant, name] as const),
      );
    await Promise.all([learn(0), learn(500)]);
    const text = 'SELECT count(*)::int AS n FROM metrics.names WHERE tenant_id = $1';
    expect((await harness.sys.primary.query({ text }, [tenant])).rows).toEqual([{ n: 700 }]);
  });
});
