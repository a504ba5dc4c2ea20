import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Partitions } from '../src/store/partitions.js';
import { newVm, Stage, type TestVm } from './stage.js';

let stage: Stage;
let vm: TestVm;
beforeAll(async () => {
  stage = await Stage.open();
  vm = await stage.place(newVm());
});
afterAll(() => stage.close());

const day = 86_400_000;
const now = Date.now();

async function names(): Promise<string[]> {
  const { rows } = await stage.sys.primary.query<{ name: string }>({
    text: `SELECT c.relname::text AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
           WHERE i.inhparent = 'metrics.points'::regclass ORDER BY 1`,
  });
  return rows.map(({ name }) => name);
}

describe('time partitions', () => {
  it('are there ahead of the points', async () => {
    await new Partitions(stage.sys, { retentionMs: 400 * day, futureMs: day }).maintain();
    expect((await names()).length).toBeGreaterThanOrEqual(3);
  });

  it('are made for late points, and dropped with them when they are too old', async () => {
    const ingest = await stage.ingest();
    await stage.publish(vm, 'cpu_usage', [
      [now - 300 * day, 1],
      [now - 10 * day, 2],
      [now, 3],
    ]);
    await stage.settled();
    await ingest.stop();
    expect(await stage.count()).toBe(3);
    const before = await names();
    await new Partitions(stage.sys, { retentionMs: 60 * day, futureMs: day }).maintain();
    expect(await stage.count()).toBe(2);
    expect((await names()).length).toBe(before.length - 1);
  });

  it('are made once when several processes need the same one', async () => {
    const series = (time: number) => [
      { ...vm, metricId: 1, times: [time], values: [1], generations: [1], seqs: [1] },
    ];
    const all = Array.from(
      { length: 8 },
      () => new Partitions(stage.sys, { retentionMs: 400 * day, futureMs: day }),
    );
    await Promise.all(all.map((one, i) => one.ensureFor(series(now - 100 * day + i * 1_000))));
    expect((await names()).length).toBe(new Set(await names()).size);
  });

  it('have an index that finds one VM’s blocks among many', async () => {
    const partitions = new Partitions(stage.sys, { retentionMs: 400 * day, futureMs: day });
    const ingest = await stage.ingest();
    const vms = await Promise.all(Array.from({ length: 200 }, () => stage.place(newVm())));
    await Promise.all(
      vms.map((one) =>
        stage.publish(
          one,
          'cpu_usage',
          Array.from({ length: 100 }, (_, i) => [now + i, i]),
        ),
      ),
    );
    await stage.settled();
    await ingest.stop();
    await partitions.ensureFor([
      { ...vm, metricId: 1, times: [now], values: [1], generations: [1], seqs: [1] },
    ]);
    await partitions.maintain();
    const { result } = await stage.sys.transaction({}, async (tx) => {
      await tx.query({ text: 'SET LOCAL enable_seqscan = off' });
      return tx.query<{ 'QUERY PLAN': string }>({
        text: `EXPLAIN (ANALYZE, COSTS OFF) SELECT value FROM metrics.points
               WHERE vm_id = '${vms[0]?.vmId}' AND ts >= ${now} AND ts < ${now + 1_000}`,
      });
    });
    const plan = result.rows.map((row) => row['QUERY PLAN']).join('\n');
    const blocks = Number(/Heap Blocks: lossy=(\d+)/.exec(plan)?.[1]);
    // 20,000 rows lie in about 240 blocks.
    expect(blocks).toBeLessThan(60);
  });
});
