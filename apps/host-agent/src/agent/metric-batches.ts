import { metricPartition, metricSubject, type MetricBatch } from '@novacron/contracts/metrics';
import type { Sample } from '../drivers/driver.js';
import type { PendingBatch } from './metric-buffer.js';

/** A message stays far below the megabyte that a server takes by default. */
const POINTS_PER_BATCH = 8_000;

/**
 * Samples as columnar batches, a subject for each partition.
 * @param source the host's id
 * @param messageId names a batch for as long as the stream looks for duplicates
 */
export function encodeSamples(
  source: string,
  samples: readonly Sample[],
  messageId: () => string,
): PendingBatch[] {
  const partitions = Map.groupBy(samples, (sample) => metricPartition(sample.vmId));
  return [...partitions].flatMap(([partition, mine]) =>
    inBatches(mine).map((batch) => {
      const bytes = Buffer.from(JSON.stringify(batch));
      const subject = metricSubject(partition, source);
      return { subject, bytes, points: batch.time.length, messageId: messageId() };
    }),
  );
}

function inBatches(samples: readonly Sample[]): MetricBatch[] {
  const batches: MetricBatch[] = [];
  let batch: Columns | undefined;
  for (const sample of samples) {
    if (!batch || batch.size >= POINTS_PER_BATCH) {
      batch = new Columns();
      batches.push(batch.columns);
    }
    batch.add(sample);
  }
  return batches;
}

class Columns {
  readonly columns: MetricBatch = {
    v: 1,
    tenantId: null,
    vmIds: [],
    metrics: [],
    vm: [],
    metric: [],
    time: [],
    value: [],
  };
  readonly #vms = new Map<string, number>();
  readonly #metrics = new Map<string, number>();

  get size(): number {
    return this.columns.time.length;
  }

  add({ vmId, time, values }: Sample): void {
    const { columns } = this;
    const vm = indexOf(this.#vms, columns.vmIds, vmId);
    for (const [metric, value] of Object.entries(values)) {
      columns.vm.push(vm);
      columns.metric.push(indexOf(this.#metrics, columns.metrics, metric));
      columns.time.push(time);
      columns.value.push(value);
    }
  }
}

function indexOf(known: Map<string, number>, names: string[], name: string): number {
  const index = known.get(name);
  if (index !== undefined) return index;
  known.set(name, names.length);
  return names.push(name) - 1;
}
