import { describe, expect, it } from '@jest/globals';
import { MetricBatch } from '@novacron/contracts/metrics';
import fc from 'fast-check';
import { batchOf } from './incoming.js';

const odd = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.constantFrom(null, '1', true, -1, 1.5, 2 ** 53, -(2 ** 53), undefined, NaN, Infinity, {}),
);
const column = fc.oneof(
  { weight: 4, arbitrary: fc.array(fc.nat({ max: 5 }), { maxLength: 3 }) },
  fc.array(odd, { maxLength: 3 }),
  fc.constantFrom(null, {}, 'x', { length: 0 }),
);
const batch = fc.record(
  {
    v: fc.constantFrom(1, 1, 1, 2),
    tenantId: fc.constantFrom(null, null, '01a20952-4078-7ea4-ae42-3706bd6c4bbc', 'x'),
    vmIds: fc.constantFrom(['01a20952-4078-7ea4-ae42-3706bd6c4bbc'], [], ['x']),
    metrics: fc.constantFrom(['cpu_usage'], [], ['No']),
    vm: column,
    metric: column,
    time: column,
    value: column,
  },
  { requiredKeys: ['v', 'tenantId', 'vmIds', 'metrics'] },
);

describe('a batch', () => {
  it('is accepted exactly when the contract accepts it', () => {
    fc.assert(
      fc.property(fc.oneof({ weight: 9, arbitrary: batch }, fc.anything()), (value) => {
        const contract = MetricBatch.safeParse(value);
        expect(batchOf(value)).toEqual(contract.success ? contract.data : undefined);
      }),
      { numRuns: 3_000 },
    );
  });
});
