import type { TenantId, VmId } from './ids.js';
import { MAX_BATCH_METRICS, MAX_BATCH_VMS, type MetricBatch } from './metrics.js';

/** About 450 kB of JSON, less than half of a message. */
const MAX_POINTS = 10_000;

/** One message of metrics, with the partition that its subject names. */
export interface PartitionBatch {
  readonly partition: number;
  readonly batch: MetricBatch;
}

/** Encodes points as columnar batches by partition. A batch fits one message. Points keep their order. */
export class MetricBatchEncoder {
  readonly #full: PartitionBatch[] = [];
  readonly #open = new Map<number, Columns>();

  /** @param tenantId the owner of all VMs; null when the receiver looks the owner up */
  constructor(private readonly tenantId: TenantId | null) {}

  /** The batches of all points so far. */
  get batches(): PartitionBatch[] {
    return [...this.#full, ...[...this.#open].map(([partition, { batch }]) => ({ partition, batch }))];
  }

  /** @param partition `metricPartition(vmId)`, which the caller computes once for all points of the VM */
  add(partition: number, vmId: VmId, metric: string, time: number, value: number): void {
    let columns = this.#open.get(partition);
    if (columns === undefined || columns.isFullFor(vmId, metric)) {
      if (columns !== undefined) this.#full.push({ partition, batch: columns.batch });
      columns = new Columns(this.tenantId);
      this.#open.set(partition, columns);
    }
    columns.add(vmId, metric, time, value);
  }
}

class Columns {
  readonly batch: MetricBatch;
  readonly #vms = new Map<string, number>();
  readonly #metrics = new Map<string, number>();

  constructor(tenantId: TenantId | null) {
    this.batch = { v: 1, tenantId, vmIds: [], metrics: [], vm: [], metric: [], time: [], value: [] };
  }

  isFullFor(vmId: VmId, metric: string): boolean {
    return (
      this.batch.time.length >= MAX_POINTS ||
      (this.#vms.size >= MAX_BATCH_VMS && !this.#vms.has(vmId)) ||
      (this.#metrics.size >= MAX_BATCH_METRICS && !this.#metrics.has(metric))
    );
  }

  add(vmId: VmId, metric: string, time: number, value: number): void {
    const { batch } = this;
    batch.vm.push(indexOf(this.#vms, batch.vmIds, vmId));
    batch.metric.push(indexOf(this.#metrics, batch.metrics, metric));
    batch.time.push(time);
    batch.value.push(value);
  }
}

function indexOf(indexes: Map<string, number>, column: string[], text: string): number {
  const index = indexes.get(text);
  if (index !== undefined) return index;
  indexes.set(text, column.length);
  return column.push(text) - 1;
}
