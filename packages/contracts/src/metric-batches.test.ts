import { describe, expect, it } from '@jest/globals';
import { newId, type VmId } from './ids.js';
import { MetricBatchEncoder } from './metric-batches.js';
import { MAX_BATCH_METRICS, MetricBatch, metricPartition } from './metrics.js';
import { REPLY_BYTES } from './reply-size.js';

describe('the encoder of metric batches', () => {
  it('keeps every point, in its partition and in its order', () => {
    const encoder = new MetricBatchEncoder(null);
    const vms = Array.from({ length: 50 }, () => newId<VmId>());
    for (let time = 0; time < 100; time++)
      for (const vmId of vms) encoder.add(metricPartition(vmId), vmId, 'queue_depth', time, time / 7);
    const times = new Map<string, number[]>(vms.map((vmId) => [vmId, []]));
    const wrong = [];
    for (const { partition, batch } of encoder.batches) {
      MetricBatch.parse(batch);
      for (const [i, time] of batch.time.entries()) {
        const vmId = batch.vmIds[batch.vm[i] as number] as VmId;
        if (metricPartition(vmId) !== partition || batch.value[i] !== time / 7) wrong.push({ vmId, time });
        times.get(vmId)?.push(time);
      }
    }
    expect(wrong).toEqual([]);
    const all = Array.from({ length: 100 }, (_, time) => time);
    for (const vmId of vms) expect(times.get(vmId)).toEqual(all);
  });

  it('begins another batch before a message is too large', () => {
    const encoder = new MetricBatchEncoder(null);
    for (let i = 0; i < 25_000; i++) encoder.add(0, newId<VmId>(), 'queue_depth', i, i / 7);
    expect(encoder.batches.map(({ batch }) => batch.time.length)).toEqual([10_000, 10_000, 5_000]);
    for (const { batch } of encoder.batches) expect(JSON.stringify(batch).length).toBeLessThan(REPLY_BYTES);
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
