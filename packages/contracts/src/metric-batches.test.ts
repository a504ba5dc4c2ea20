import { describe, expect, it } from '@jest/globals';
import { newId, type VmId } from './ids.js';
import { MetricBatchEncoder } from './metric-batches.js';
import { MAX_BATCH_METRICS, MetricBatch, metricPartition } from './metrics.js';

describe('the encoder of metric batches', () => {
  it('keeps every point, in its partition and in its order', () => {
    const encoder = new MetricBatchEncoder(null);
    const vms = Array.from({ length: 500 }, () => newId<VmId>());
    for (let time = 0; time < 100; time++)
      for (const vmId of vms) encoder.add(metricPartition(vmId), vmId, 'queue_depth', time, time / 7);
    const times = new Map<string, number[]>();
    for (const { partition, batch } of encoder.batches) {
      MetricBatch.parse(batch);
      expect(batch.time.length).toBeLessThanOrEqual(10_000);
      batch.time.forEach((time, i) => {
        const vmId = batch.vmIds[batch.vm[i] as number] as VmId;
        expect([metricPartition(vmId), batch.value[i]]).toEqual([partition, time / 7]);
        times.set(vmId, [...(times.get(vmId) ?? []), time]);
      });
    }
    expect([...times.keys()].sort()).toEqual([...vms].sort());
    const all = Array.from({ length: 100 }, (_, time) => time);
    for (const vmId of vms) expect(times.get(vmId)).toEqual(all);
  });

  it('begins another batch before a column of names is longer than the contract allows', () => {
    const encoder = new MetricBatchEncoder(null);
    const vmId = newId<VmId>();
    for (let i = 0; i < MAX_BATCH_METRICS + 1; i++) encoder.add(0, vmId, `m${i}`, i, 1);
    encoder.add(0, vmId, 'm0', 0, 2);
    expect(encoder.batches.map(({ batch }) => batch.metrics.length)).toEqual([MAX_BATCH_METRICS, 2]);
    for (const { batch } of encoder.batches) MetricBatch.parse(batch);
  });
});
