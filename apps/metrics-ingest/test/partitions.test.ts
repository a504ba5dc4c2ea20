import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Partitions } from '../src/store/partitions.js';
import { newVm, MetricsHarness, type TestVm } from './metrics-harness.js';

let harness: MetricsHarness;
let vm: TestVm;
beforeAll(async () => {
  harness = await MetricsHarness.open();
  vm = await harness.place(newVm());
});
afterAll(() => harness.close());

const day = 86_400_000;
const now = Date.now();

async function names(): Promise<string[]> {
  const { rows } = await harness.sys.primary.query<{ name: string }>({
    text: `SELECT c.relname::text AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
           WHERE i.inhparent = 'metrics.points'::regclass ORDER BY 1`,
  });
  return rows.map(({ name }) => name);
}

describe('time partitions', () => {
  it('exist before their points', async () => {
    await new Partitions(harness.sys, { retentionMs: 400 * day, futureMs: day }).maintain();
    expect((await names()).length).toBeGreaterThanOrEqual(3);
  });

  it('are created for late points, and dropped with them after the retention', async () => {
    const ingest = await harness.ingest();
    await harness.publish(vm, 'cpu_usage', [
      [now - 300 * day, 1],
      [now - 10 * day, 2],
      [now, 3],
    ]);
    await harness.settled();
    await ingest.stop();
    expect(await harness.count()).toBe(3);
    const before = await names();
    await new Partitions(harness.sys, { retentionMs: 60 * day, futureMs: day }).maintain();
    expect(await harness.count()).toBe(2);
    expect((await names()).length).toBe(before.length - 1);
  });

  it('are created once when several processes need the same one', async () => {
    const series = (time: number) => [
      { ...vm, metricId: 1, times: [time], values: [1], streamGenerations: [1], seqs: [1] },
    ];
    const all = Array.from(
      { length: 8 },
      () => new Partitions(harness.sys, { retentionMs: 400 * day, futureMs: day }),
    );
    await Promise.all(all.map((one, i) => one.ensureFor(series(now - 100 * day + i * 1_000))));
    expect((await names()).length).toBe(new Set(await names()).size);
  });

  it('have an index that finds one VM’s blocks among many', async () => {
    const partitions = new Partitions(harness.sys, { retentionMs: 400 * day, futureMs: day });
    const ingest = await harness.ingest();
    const vms = await Promise.all(Array.from({ length: 200 }, () => harness.place(newVm())));
    await Promise.all(
      vms.map((one) =>
        harness.publish(
          one,
          'cpu_usage',
          Array.from({ length: 100 }, (_, i) => [now + i, i]),
        ),
      ),
    );
    await harness.settled();
    await ingest.stop();
    await partitions.ensureFor([
      { ...vm, metricId: 1, times: [now], values: [1], streamGenerations: [1], seqs: [1] },
    ]);
    await partitions.maintain();
    const { result } = await harness.sys.transaction({}, async (tx) => {
      await tx.query({ text: 'SET LOCAL enable_seqscan = off' });
      return tx.query<{ 'QUERY PLAN': string }>({
        text: `EXPLAIN (ANALYZE, COSTS OFF) SELECT value FROM metrics.points
               WHERE vm_id = '${vms[0]?.vmId}' AND ts >= ${now} AND ts < ${now + 1_000}`,
      });
    });
    const plan = result.rows.map((row) => row['QUERY PLAN']).join('\n');
    const blocks = Number(/Heap Blocks: lossy=(\d+)/.exec(plan)?.[1]);
    // 20,000 rows use about 240 blocks.
    expect(blocks).toBeLessThan(60);
  });
});
