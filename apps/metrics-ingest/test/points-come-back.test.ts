import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  LatestQuery,
  LatestResult,
  type Aggregation,
  type MetricBatch,
  type RangeResult,
} from '@novacron/contracts/metrics';
import { REPLY_BYTES } from '@novacron/contracts/reply-size';
import { MAX_POINTS_IN_ALL } from '../src/query/plan.js';
import { eventually } from '@novacron/testkit/wait';
import { metaOf, newVm, MetricsHarness, type Point, type TestVm } from './metrics-harness.js';

let harness: MetricsHarness;
beforeAll(async () => {
  harness = await MetricsHarness.open({ replica: true });
  await harness.ingest();
});
afterAll(() => harness.close());

const minute = 60_000;
const start = Math.floor(Date.now() / 86_400_000 - 1) * 86_400_000;

async function ask(
  vm: TestVm,
  agg: Aggregation,
  step: number,
  from: number,
  to: number,
  metric = ['cpu_usage'],
): Promise<RangeResult> {
  const query = { vmId: vm.vmId as never, metric, from, to, step, agg };
  return (await harness.reader().range(metaOf(vm), query)).body;
}

const latestOf = (vm: TestVm, page: Partial<LatestQuery> = {}): LatestQuery =>
  LatestQuery.parse({ vmId: vm.vmId, ...page });

async function values(
  vm: TestVm,
  agg: Aggregation,
  step: number,
  from: number,
  to: number,
  metric = 'cpu_usage',
) {
  return (await ask(vm, agg, step, from, to, [metric])).series[0]?.values;
}

describe('stored points', () => {
  it('are returned one by one and bit by bit when the step is the sample interval', async () => {
    const vm = await harness.place(newVm());
    const day: Point[] = Array.from({ length: 288 }, (_, i) => [start + i * 5 * minute, Math.random() * 100]);
    await harness.publish(vm, 'cpu_usage', day.slice(0, 100));
    await harness.publish(vm, 'cpu_usage', day.slice(100));
    await harness.settled();
    for (const agg of ['avg', 'min', 'max', 'sum', 'last'] as const) {
      const answer = await ask(vm, agg, 300, start, start + 288 * 5 * minute);
      expect(answer).toMatchObject({ step: 300, resolution: 0 });
      expect(answer.series[0]?.timestamps).toEqual(day.map(([time]) => time));
      expect(answer.series[0]?.values).toEqual(day.map(([, value]) => value));
    }
  });

  it('are grouped into buckets from `from` on, with null for empty buckets', async () => {
    const vm = await harness.place(newVm());
    const at = start + 17;
    await harness.publish(vm, 'cpu_usage', [
      [at, 1],
      [at + 999, 3],
      [at + 3_000, 8],
      [at + 5_000, 100],
    ]);
    await harness.settled();
    expect(await values(vm, 'avg', 1, at, at + 4_500)).toEqual([2, null, null, 8, null]);
    expect(await values(vm, 'sum', 2, at, at + 5_000)).toEqual([4, 8, null]);
    expect(await values(vm, 'last', 5, at, at + 5_001)).toEqual([8, 100]);
    expect((await ask(vm, 'min', 2, at, at + 5_000)).series[0]).toMatchObject({
      unit: 'percent',
      timestamps: [at, at + 2_000, at + 4_000],
    });
  });

  it('of a counter have a rate per second that survives a reset', async () => {
    const vm = await harness.place(newVm());
    const counter = [100, 160, 400, 50, 110];
    await harness.publish(
      vm,
      'network_recv',
      counter.map((value, i): Point => [start + i * minute, value]),
    );
    await harness.settled();
    expect(await values(vm, 'rate', 60, start, start + 5 * minute, 'network_recv')).toEqual([
      null,
      1,
      4,
      50 / 60,
      1,
    ]);
    // The sample before `from` counts.
    expect(await values(vm, 'rate', 120, start + minute, start + 5 * minute, 'network_recv')).toEqual([
      2.5,
      110 / 120,
    ]);
    expect((await ask(vm, 'rate', 60, start, start + minute, ['network_recv'])).series[0]?.unit).toBe(
      'bytes/s',
    );
  });

  it('at one time count once: the one published last', async () => {
    const vm = await harness.place(newVm());
    await harness.publish(vm, 'cpu_usage', [
      [start, 1],
      [start, 2],
    ]);
    await harness.settled();
    expect(await values(vm, 'sum', 1, start, start + 1_000)).toEqual([2]);
    await harness.publish(vm, 'cpu_usage', [[start, 3]]);
    await harness.settled();
    expect(await values(vm, 'sum', 1, start, start + 1_000)).toEqual([3]);
    const { body } = await harness.reader().latest(metaOf(vm), latestOf(vm));
    expect(body.values).toEqual({ cpu_usage: { value: 3, timestamp: start } });
  });

  it('include the latest of each metric, also of custom names and after late points', async () => {
    const vm = await harness.place(newVm());
    await harness.publish(vm, 'app:queue_length', [[start + 5, 7]], 'gateway');
    await harness.publish(vm, 'cpu_usage', [[start + 10, 20]]);
    await harness.publish(vm, 'cpu_usage', [[start + 1, 99]]);
    await harness.settled();
    const { body } = await harness.reader().latest(metaOf(vm), latestOf(vm));
    expect(body.values).toEqual({
      cpu_usage: { value: 20, timestamp: start + 10 },
      'app:queue_length': { value: 7, timestamp: start + 5 },
    });
    expect(await values(vm, 'avg', 1, start, start + 1_000, 'app:queue_length')).toEqual([7]);
  });

  it('of many metrics are returned in pages, each metric once', async () => {
    const vm = await harness.place(newVm());
    const names = Array.from({ length: 1_250 }, (_, i) => `app:${'x'.repeat(190)}_${i}`);
    for (const metrics of [names.slice(0, 700), names.slice(700)]) {
      const each = <T>(value: (i: number) => T) => metrics.map((_, i) => value(i));
      const batch: MetricBatch = {
        v: 1,
        tenantId: null,
        vmIds: [vm.vmId as never],
        metrics,
        vm: each(() => 0),
        metric: each((i) => i),
        time: each(() => start),
        value: each(() => Number.MIN_VALUE),
      };
      await harness.publishRaw(vm, batch);
    }
    await harness.settled();
    const seen: string[] = [];
    const pages: number[] = [];
    let cursor: string | null = null;
    do {
      const { body } = await harness
        .reader()
        .latest(metaOf(vm), latestOf(vm, cursor === null ? {} : { cursor }));
      expect(Buffer.byteLength(JSON.stringify(LatestResult.parse(body)))).toBeLessThan(REPLY_BYTES);
      seen.push(...Object.keys(body.values));
      pages.push(Object.keys(body.values).length);
      cursor = body.nextCursor;
    } while (cursor !== null);
    expect(pages).toEqual([500, 500, 250]);
    expect(seen.sort()).toEqual(names.sort());
  });

  it.each(['', 'm', 'm-1', 'mx', `m${'9'.repeat(10)}`])(
    'have no page after the cursor %j',
    async (cursor) => {
      const asked = harness.reader().latest(metaOf(newVm()), latestOf(newVm(), { cursor }));
      await expect(asked).rejects.toMatchObject({ code: 'invalid_request', errors: [{ path: '/cursor' }] });
    },
  );

  it('fit one message in a range of the maximum of points', () => {
    const column = <T>(value: T) => Array<T>(MAX_POINTS_IN_ALL / 20).fill(value);
    const series = Array.from({ length: 20 }, () => ({
      metric: 'x'.repeat(200),
      unit: 'bytes/s',
      agg: 'rate',
      timestamps: column(1_767_225_600_000),
      values: column(-Number.MAX_VALUE),
    }));
    expect(Buffer.byteLength(JSON.stringify(series))).toBeLessThan(REPLY_BYTES);
  });

  it('are invisible to another tenant, whose request ends in not_found', async () => {
    const vm = await harness.place(newVm());
    await harness.publish(vm, 'cpu_usage', [[start, 1]]);
    await harness.settled();
    const other = { ...newVm(), vmId: vm.vmId };
    await expect(ask(other, 'avg', 1, start, start + 1_000)).rejects.toMatchObject({ code: 'not_found' });
    await expect(harness.reader().latest(metaOf(other), latestOf(vm))).rejects.toMatchObject({
      code: 'not_found',
    });
  });

  it('are read from a replica that has reached the token’s position', async () => {
    const vm = await harness.place(newVm());
    await harness.publish(vm, 'cpu_usage', [[start, 1]]);
    await harness.settled();
    const { lowerBound: position } = await harness.sys.primary.query({ text: 'SELECT 1' });
    const minPosition = `${position.systemId}.${position.timeline}.${position.lsn}`;
    const meta = { ...metaOf(vm), consistency: 'causal' as const, minPosition };
    const query = {
      vmId: vm.vmId as never,
      metric: ['cpu_usage'],
      from: start,
      to: start + 1_000,
      step: 1,
      agg: 'avg' as const,
    };
    await eventually(async () => {
      const answer = await harness.reader().range(meta, query);
      expect(answer.body.series[0]?.values).toEqual([1]);
      // On a busy machine the primary may sometimes serve the read.
      expect(answer.servedFrom).toBe('replica');
    });
  });

  it.each([
    [{ from: 5, to: 5 }, '/to'],
    [{ from: 0, to: 11_001_000, step: 1 }, '/step'],
    [{ from: 0, to: 11_000_000, step: 1, metric: ['a', 'b', 'c'] }, '/metric'],
    [{ agg: 'rate' as const }, '/agg'],
  ])('cannot be asked for with %j', async (wrong, path) => {
    const query = {
      vmId: newVm().vmId as never,
      metric: ['cpu_usage'],
      from: start,
      to: start + 1_000,
      step: 1,
      agg: 'avg' as const,
    };
    const asked = harness.reader().range(metaOf(newVm()), { ...query, ...wrong });
    await expect(asked).rejects.toMatchObject({ code: 'invalid_request', errors: [{ path }] });
  });
});
