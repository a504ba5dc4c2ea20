import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AccountReader } from '../src/query/account-reader.js';
import type { VmId } from '@novacron/contracts/ids';
import { LatestQuery, type Aggregation } from '@novacron/contracts/metrics';
import fc from 'fast-check';
import { metaOf, newVm, MetricsHarness, type Point, type TestVm } from './metrics-harness.js';

let harness: MetricsHarness;
beforeAll(async () => {
  harness = await MetricsHarness.open();
  await harness.ingest();
});
afterAll(() => harness.close());

const SECOND = 1_000;
const start = Math.floor(Date.now() / SECOND) * SECOND - 600_000;
/** Any finite double; doubles that break arithmetic are frequent. */
const value = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(
    Number.MAX_VALUE,
    -Number.MAX_VALUE,
    Number.MIN_VALUE,
    -Number.MIN_VALUE,
    1e200,
    -1e200,
    2.2250738585072014e-308,
    0,
    1,
  ),
);
const name = fc.oneof(
  fc.constantFrom('constructor', '__proto__', 'null', '_', ':', 'a'.repeat(200)),
  fc.stringMatching(/^[a-z_:][a-z0-9_:]{0,30}$/),
);
/** Points of one metric, one per second. */
const values = fc.array(value, { minLength: 1, maxLength: 12 });

const points = (of: readonly number[]) => of.map((one, i): Point => [start + i * SECOND, one]);

async function range(vm: TestVm, metric: string[], agg: Aggregation, step: number) {
  const query = { vmId: vm.vmId as VmId, metric, from: start, to: start + 12 * SECOND, step, agg };
  const { body } = await harness.reader().range(metaOf(vm), query);
  // As JSON carries it.
  return (JSON.parse(JSON.stringify(body)) as typeof body).series.map((one) => one.values);
}

/** A double as a multiple of the smallest double. */
function exactly(double: number): bigint {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, double);
  const raw = bits.getBigUint64(0);
  const exponent = (raw >> 52n) & 0x7ffn;
  const fraction = raw & 0xf_ffff_ffff_ffffn;
  const size = exponent === 0n ? fraction : (fraction | (1n << 52n)) << (exponent - 1n);
  return double < 0 ? -size : size;
}

/** The exact sum; null when it exceeds a double. */
function exactSum(of: readonly number[]): number | null {
  const sum = of.reduce((all, one) => all + exactly(one), 0n);
  const size = sum < 0n ? -sum : sum;
  if (size > exactly(Number.MAX_VALUE)) return null;
  const shift = BigInt(Math.max(0, size.toString(2).length - 64));
  const exponent = Number(shift) - 1_074;
  const half = Math.trunc(exponent / 2);
  return Number(sum >> shift) * 2 ** half * 2 ** (exponent - half);
}

/** How much the sum of doubles depends on their order. */
function near(found: number | null, wanted: number, of: readonly number[]): boolean {
  const largest = Math.max(...of.map(Math.abs));
  return found !== null && Math.abs(found / 4 - wanted / 4) <= largest * 1e-13 + Number.MIN_VALUE;
}

describe('a metric of any legal name and any finite values', () => {
  it('has a value or null for every aggregation, and does not affect another metric', async () => {
    await fc.assert(
      fc.asyncProperty(name, values, async (metric, given) => {
        const vm = await harness.place(newVm());
        await harness.publish(vm, metric, points(given));
        await harness.publish(vm, 'cpu_usage', points([1, 2, 3]));
        await harness.settled();
        const of = async (agg: Aggregation) => {
          const [found, beside] = await range(vm, [metric, 'cpu_usage'], agg, 12);
          return [found?.[0] ?? null, beside?.[0] ?? null] as const;
        };
        expect(await of('min')).toEqual([Math.min(...given) + 0, 1]);
        expect(await of('max')).toEqual([Math.max(...given) + 0, 3]);
        expect(await of('last')).toEqual([(given.at(-1) ?? 0) + 0, 3]);
        const [sum, sumBeside] = await of('sum');
        expect(sumBeside).toBe(6);
        const wanted = exactSum(given);
        // Near the largest double the order of additions decides.
        if (wanted !== null && sum !== null) expect(near(sum, wanted, given)).toBe(true);
        else expect(Math.abs(sum ?? wanted ?? Infinity)).toBeGreaterThan(1.7e308);
        const [avg, avgBeside] = await of('avg');
        expect(avgBeside).toBe(2);
        expect(avg).not.toBeNull();
        expect(avg).toBeGreaterThanOrEqual(Math.min(...given) - Math.abs(Math.min(...given)) * 1e-12);
        expect(avg).toBeLessThanOrEqual(Math.max(...given) + Math.abs(Math.max(...given)) * 1e-12);
        const { body } = await harness.reader().latest(metaOf(vm), LatestQuery.parse({ vmId: vm.vmId }));
        expect(JSON.parse(JSON.stringify(Object.entries(body.values)))).toContainEqual([
          metric,
          { value: (given.at(-1) ?? 0) + 0, timestamp: start + (given.length - 1) * SECOND },
        ]);
      }),
      { numRuns: 40 },
    );
  });

  it('has a rate that is a number or null, and so does another counter', async () => {
    await fc.assert(
      fc.asyncProperty(name, values, async (metric, given) => {
        const vm = await harness.place(newVm());
        await harness.publish(vm, metric, points(given));
        await harness.publish(vm, 'network_recv', points([100, 200, 300]));
        await harness.settled();
        for (const step of [1, 12]) {
          const [found, beside] = await range(vm, [metric, 'network_recv'], 'rate', step);
          for (const one of found ?? []) expect(one === null || Number.isFinite(one)).toBe(true);
          expect(beside?.filter((one) => one !== null)).toEqual(step === 1 ? [100, 100] : [100]);
        }
      }),
      { numRuns: 20 },
    );
  });

  it.each(['constructor', '__proto__', 'null'])(
    'is accepted under the name %s, unlike names beyond the limit',
    async (metric) => {
      const { body } = await new AccountReader(harness.api, 0).refusedNames(metaOf(newVm()), [
        metric,
        'cpu_usage',
      ]);
      expect(body.refused).toEqual([metric]);
    },
  );
});
