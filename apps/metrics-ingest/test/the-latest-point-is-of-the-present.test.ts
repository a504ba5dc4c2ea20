import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { LatestQuery } from '@novacron/contracts/metrics';
import { moveArrived } from '../src/store/latest.js';
import { metaOf, newVm, MetricsHarness, type Point, type TestVm } from './metrics-harness.js';

let harness: MetricsHarness;
beforeAll(async () => {
  harness = await MetricsHarness.open();
  await harness.ingest();
});
afterAll(() => harness.close());

const SECOND = 1_000;
const now = Date.now();
const at = (seconds: number) => now + seconds * SECOND;

async function given(...points: Point[]): Promise<TestVm> {
  const vm = await harness.place(newVm());
  for (const point of points) await harness.publish(vm, 'cpu_usage', [point]);
  await harness.settled();
  return vm;
}

/** The latest value, as a read at this time returns it. */
async function latest(vm: TestVm, time = now): Promise<number | undefined> {
  const { body } = await harness.reader().latest(metaOf(vm), LatestQuery.parse({ vmId: vm.vmId }), time);
  return body.values['cpu_usage']?.value;
}

async function ahead(vm: TestVm): Promise<number> {
  const text = 'SELECT count(*)::int AS n FROM metrics.ahead WHERE vm_id = $1';
  return (await harness.sys.primary.query<{ n: number }>({ text }, [vm.vmId])).rows[0]?.n ?? 0;
}

describe('the latest value of a metric', () => {
  it('is the newest present point, regardless of future points and of their order', async () => {
    for (const points of [
      [[at(-10), 1] as const, [at(180), 99] as const, [at(-5), 2] as const],
      [[at(180), 99] as const, [at(-10), 1] as const, [at(-5), 2] as const],
      [[at(-5), 2] as const, [at(-10), 1] as const, [at(180), 99] as const],
    ]) {
      expect(await latest(await given(...points))).toBe(2);
    }
  });

  it('treats a point a few seconds ahead as present', async () => {
    expect(await latest(await given([at(-5), 1], [at(2), 2]))).toBe(2);
  });

  it('becomes the future point when its time has come', async () => {
    const vm = await given([at(-10), 1], [at(180), 99]);
    expect(await latest(vm, at(181))).toBe(99);
    await moveArrived(harness.sys, at(181));
    expect(await ahead(vm)).toBe(0);
    expect(await latest(vm, at(181))).toBe(99);
    // Read by a clock that is behind the clock that moved it.
    expect(await latest(vm)).toBe(1);
  });

  it('follows a sender whose clock is always ahead', async () => {
    const vm = await given([at(60), 1], [at(120), 2], [at(180), 3]);
    expect(await latest(vm)).toBeUndefined();
    expect(await latest(vm, at(61))).toBe(1);
    expect(await latest(vm, at(130))).toBe(2);
  });

  it('does not return to an arrived point when a sender a few seconds ahead has a newer one', async () => {
    const vm = await given([at(-10), 0], [at(60), 1]);
    await harness.sys.primary.batch({}, [
      {
        statement: { text: 'UPDATE metrics.latest SET ts = $2, value = 2 WHERE vm_id = $1' },
        params: [vm.vmId, at(63)],
      },
    ]);
    await moveArrived(harness.sys, at(61));
    expect(await latest(vm, at(61))).toBe(2);
  });

  it('is found behind a row of the far future from the previous version', async () => {
    const vm = await given([at(-10), 1]);
    await harness.sys.primary.batch({}, [
      {
        statement: { text: 'UPDATE metrics.latest SET ts = $2, value = 99 WHERE vm_id = $1' },
        params: [vm.vmId, at(20 * 3_600)],
      },
    ]);
    expect(await latest(vm)).toBe(1);
    await harness.publish(vm, 'cpu_usage', [[at(-5), 2]]);
    await harness.settled();
    expect(await latest(vm)).toBe(2);
    const text = 'SELECT value FROM metrics.latest WHERE vm_id = $1';
    expect((await harness.sys.primary.query({ text }, [vm.vmId])).rows).toEqual([{ value: 2 }]);
  });
});
