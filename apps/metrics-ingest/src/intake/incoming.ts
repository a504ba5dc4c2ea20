import { MetricBatch } from '@novacron/contracts/metrics';
import { z } from 'zod';

/** A message of the METRICS stream, independent of NATS types. */
export interface IntakeMessage {
  readonly partition: number;
  /** From `metrics.ingest.<p>.<source>`: a host's id, or `gateway`. Only that NATS user can publish on the subject. */
  readonly source: string;
  /** Increases when the stream is recreated or loses messages. */
  readonly streamGeneration: number;
  readonly seq: number;
  /** When JetStream stored it, in milliseconds since 1970. */
  readonly storedAt: number;
  /** Messages of all partitions behind it in the stream when it was read. */
  readonly pending: number;
  readonly data: Uint8Array;
  /** Acknowledges every message up to this one; called for the last message of a write. */
  ack(): void;
}

/** A message with its batch; undefined when the message is not a valid batch. */
export interface Incoming {
  readonly message: IntakeMessage;
  readonly batch: MetricBatch | undefined;
}

const decoder = new TextDecoder('utf-8', { fatal: true });
const { v, tenantId, vmIds, metrics } = MetricBatch.shape;
const Head = z.object({ v, tenantId, vmIds, metrics });
const COLUMNS = ['vm', 'metric', 'time', 'value'] as const;

/** Parses a batch. A malformed message is counted, and the ingester continues. */
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
 * Accepts exactly what `MetricBatch` accepts, but checks the columns by hand. The schema takes a microsecond for each
 * number, which is more than all other work on a point in this process. A test compares the two.
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
