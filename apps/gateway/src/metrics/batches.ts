import type { TenantId, VmId } from '@novacron/contracts/ids';
import { metricPartition, type MetricBatch } from '@novacron/contracts/metrics';
import type { GoodSeries } from './check-points.js';

/** About 450 kB of JSON: NATS takes 1 MiB. */
const MAX_POINTS = 10_000;
const MAX_VMS = 10_000;
const MAX_METRICS = 1_000;

/** One partition's columnar batch. */
export interface PartitionBatch {
  readonly partition: number;
  readonly batch: MetricBatch;
}

/**
 * Series as the batches that intake takes: by partition, in order, none larger than a message may be.
 * @param tenantId whose VMs these must be; null for a platform operator, who may write any tenant's
 */
export function toBatches(tenantId: TenantId | null, series: readonly GoodSeries[]): PartitionBatch[] {
  const full: PartitionBatch[] = [];
  const open = new Map<number, Builder>();
  for (const { vmId, metric, times, values } of series) {
    const partition = metricPartition(vmId);
    for (let i = 0; i < times.length; i++) {
      let builder = open.get(partition);
      if (builder === undefined || builder.isFullFor(vmId, metric)) {
        if (builder !== undefined) full.push({ partition, batch: builder.batch });
        builder = new Builder(tenantId);
        open.set(partition, builder);
      }
      builder.add(vmId, metric, times[i] as number, values[i] as number);
    }
  }
  return [...full, ...[...open].map(([partition, { batch }]) => ({ partition, batch }))];
}

class Builder {
  readonly batch: MetricBatch;
  private readonly vms = new Map<string, number>();
  private readonly metrics = new Map<string, number>();

  constructor(tenantId: TenantId | null) {
    this.batch = { v: 1, tenantId, vmIds: [], metrics: [], vm: [], metric: [], time: [], value: [] };
  }

  isFullFor(vmId: VmId, metric: string): boolean {
    return (
      this.batch.time.length >= MAX_POINTS ||
      (this.vms.size >= MAX_VMS && !this.vms.has(vmId)) ||
      (this.metrics.size >= MAX_METRICS && !this.metrics.has(metric))
    );
  }

  add(vmId: VmId, metric: string, time: number, value: number): void {
    this.batch.vm.push(indexOf(this.vms, this.batch.vmIds, vmId));
    this.batch.metric.push(indexOf(this.metrics, this.batch.metrics, metric));
    this.batch.time.push(time);
    this.batch.value.push(value);
  }
}

function indexOf(known: Map<string, number>, column: string[], text: string): number {
  const index = known.get(text);
  if (index !== undefined) return index;
  known.set(text, column.length);
  return column.push(text) - 1;
}
