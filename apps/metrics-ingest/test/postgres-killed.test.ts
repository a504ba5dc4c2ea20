import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '@novacron/testkit/wait';
import { newVm, MetricsHarness, type Point } from './metrics-harness.js';

let harness: MetricsHarness;
beforeAll(async () => {
  harness = await MetricsHarness.open({ ownCluster: true });
});
afterAll(() => harness.close());

const start = Math.floor(Date.now() / 3_600_000) * 3_600_000;

describe('a Postgres that is killed while points arrive', () => {
  it('has every point once after its restart, without a restart of the ingester', async () => {
    const ingest = await harness.ingest();
    const vms = await Promise.all(Array.from({ length: 30 }, () => harness.place(newVm())));
    let sent = 0;
    let loading = true;
    const load = (async () => {
      for (; loading; sent++) {
        const point: Point = [start + sent, sent];
        await Promise.all(vms.map((vm) => harness.publish(vm, 'cpu_usage', [point])));
      }
    })();
    try {
      await eventually(() => expect(sent).toBeGreaterThan(5));
      await harness.servers.cluster?.end('primary', 'kill');
      await eventually(() => expect(ingest.ingester.healthy).toBe(false));
      await harness.servers.cluster?.restart('primary');
      await eventually(() => expect(ingest.ingester.healthy).toBe(true));
    } finally {
      loading = false;
      await load;
    }
    await harness.settled();
    const { rows } = await harness.sys.primary.query<{ n: number; distinct: number }>({
      text: 'SELECT count(*)::int AS n, count(DISTINCT (vm_id, ts))::int AS distinct FROM metrics.points',
    });
    expect(rows).toEqual([{ n: sent * vms.length, distinct: sent * vms.length }]);
  });
});
