import { MetricBatch } from '@novacron/contracts/metrics';
import { z } from 'zod';

/** A message of the intake stream as it was read, in a form that does not know of NATS. */
export interface IntakeMessage {
  readonly partition: number;
  /** `metrics.ingest.<p>.<source>`: a host's id, or `gateway`. Only that NATS user can publish on it. */
  readonly source: string;
  /** Grows with every new history of the stream. */
  readonly generation: number;
  readonly seq: number;
  /** When JetStream stored it, in milliseconds since 1970. */
  readonly storedAt: number;
  /** Messages behind it in the stream, of all partitions, when it was read. */
  readonly pending: number;
  readonly data: Uint8Array;
  /** Tells JetStream that everything up to here is stored; once for the last of a write. */
  ack(): void;
}

/** A message with its batch; undefined when it is none. */
export interface Incoming {
  readonly message: IntakeMessage;
  readonly batch: MetricBatch | undefined;
}

const decoder = new TextDecoder('utf-8', { fatal: true });
const { v, tenantId, vmIds, metrics } = MetricBatch.shape;
const Head = z.object({ v, tenantId, vmIds, metrics });
const COLUMNS = ['vm', 'metric', 'time', 'value'] as const;

/** Parses a batch. A message that is none is not an error of ours: it is counted, and the intake goes on. */
export function decode(message: IntakeMessage): Incoming {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(message.data));
  } catch {
    return { message, batch: undefined };
  }
  return { message, batch: batchOf(value) };
}

/**
 * What `MetricBatch` accepts, with the columns looked at by hand: the schema takes a microsecond for each
 * number, which is more than all the rest that happens to a point in this process. A test compares the two.
 */
export function batchOf(value: unknown): MetricBatch | undefined {
  const head = Head.safeParse(value);
  if (!head.success) return undefined;
  const { vm, metric, time, value: values } = value as Record<(typeof COLUMNS)[number], unknown>;
  if (!isColumn(vm, isIndex) || !isColumn(metric, isIndex)) return undefined;
  if (!isColumn(time, Number.isSafeInteger) || !isColumn(values, Number.isFinite)) return undefined;
  const points = vm.length;
  if (metric.length !== points || time.length !== points || values.length !== points) return undefined;
  return { ...head.data, vm, metric, time, value: values };
}

function isColumn(column: unknown, accepts: (item: unknown) => boolean): column is number[] {
  if (!Array.isArray(column)) return false;
  for (let i = 0; i < column.length; i++) if (!accepts(column[i])) return false;
  return true;
}

function isIndex(item: unknown): boolean {
  return Number.isSafeInteger(item) && (item as number) >= 0;
}
