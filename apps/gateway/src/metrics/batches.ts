import type { TenantId } from '@novacron/contracts/ids';
import { MetricBatchEncoder, type PartitionBatch } from '@novacron/contracts/metric-batches';
import { metricPartition } from '@novacron/contracts/metrics';
import type { GoodSeries } from './check-points.js';

/**
 * Encodes series as batches.
 * @param tenantId the owner of the VMs; null for a platform operator, who may write to VMs of any tenant
 */
export function toBatches(tenantId: TenantId | null, series: readonly GoodSeries[]): PartitionBatch[] {
  const encoder = new MetricBatchEncoder(tenantId);
  for (const { vmId, metric, times, values } of series) {
    const partition = metricPartition(vmId);
    for (let i = 0; i < times.length; i++)
      encoder.add(partition, vmId, metric, times[i] as number, values[i] as number);
  }
  return encoder.batches;
}
