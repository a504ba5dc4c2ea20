import { describe, expect, it } from '@jest/globals';
import { MetricBatch, metricPartition } from '@novacron/contracts/metrics';
import { newId, type VmId } from '@novacron/contracts/ids';
import { encodeSamples } from './metric-batches.js';
import { MetricBuffer, type PendingBatch } from './metric-buffer.js';

const batch = (messageId: string): PendingBatch => ({
  subject: 's',
  bytes: new Uint8Array(10),
  points: 5,
  messageId,
});
const ids = (batches: readonly PendingBatch[]) => batches.map(({ messageId }) => messageId);

describe('the buffer of metrics', () => {
  it('drops the oldest batch when it is full, and reports its points', () => {
    let dropped = 0;
    const buffer = new MetricBuffer(30, (points) => (dropped += points));
    for (const id of ['a', 'b', 'c', 'd', 'e']) buffer.push(batch(id));
    expect(ids(buffer.take(10))).toEqual(['c', 'd', 'e']);
    expect(dropped).toBe(10);
  });

  it('keeps the order when a batch is put back', () => {
    const buffer = new MetricBuffer(100, () => undefined);
    for (const id of ['a', 'b', 'c']) buffer.push(batch(id));
    const taken = buffer.take(2);
    buffer.putBack(taken);
    expect(ids(buffer.take(3))).toEqual(['a', 'b', 'c']);
  });

  it('keeps a batch that is larger than the buffer when it is the only one', () => {
    const buffer = new MetricBuffer(5, () => undefined);
    buffer.push(batch('a'));
    expect(buffer.length).toBe(1);
  });
});

describe('encoded samples', () => {
  it('hold every point in its partition, in messages of bounded size', () => {
    const samples = Array.from({ length: 10_000 }, (_, i) => ({
      vmId: newId<VmId>(),
      time: i,
      values: { cpu_usage: i / 7, memory_usage: 50 },
    }));
    const batches = encodeSamples('host', samples, () => 'id');
    const values = new Map<string, number>();
    for (const { subject, bytes, points } of batches) {
      expect(bytes.length).toBeLessThan(1_000_000);
      const columns = MetricBatch.parse(JSON.parse(Buffer.from(bytes).toString()));
      expect(points).toBe(columns.time.length);
      columns.value.forEach((value, i) => {
        const vmId = columns.vmIds[columns.vm[i] ?? -1] ?? '';
        expect(subject).toBe(`metrics.ingest.${metricPartition(vmId)}.host`);
        values.set(`${vmId} ${columns.metrics[columns.metric[i] ?? -1]} ${columns.time[i]}`, value);
      });
    }
    expect(values.size).toBe(20_000);
    for (const { vmId, time, values: given } of samples) {
      expect(values.get(`${vmId} cpu_usage ${time}`)).toBe(given.cpu_usage);
    }
  });
});
