import { MetricBatchEncoder } from '@novacron/contracts/metric-batches';
import { metricPartition, metricSubject } from '@novacron/contracts/metrics';
import type { Sample } from '../drivers/driver.js';
import type { PendingBatch } from './metric-buffer.js';

/**
 * Encodes samples as batches, with a subject for each partition.
 * @param source the host's id
 * @param messageId makes the id by which the stream recognises a duplicate
 */
export function encodeSamples(
  source: string,
  samples: readonly Sample[],
  messageId: () => string,
): PendingBatch[] {
  const encoder = new MetricBatchEncoder(null);
  for (const { vmId, time, values } of samples) {
    const partition = metricPartition(vmId);
    for (const [metric, value] of Object.entries(values)) encoder.add(partition, vmId, metric, time, value);
  }
  return encoder.batches.map(({ partition, batch }) => ({
    subject: metricSubject(partition, source),
    bytes: Buffer.from(JSON.stringify(batch)),
    points: batch.time.length,
    messageId: messageId(),
  }));
}
