import { MetricBatch } from '@novacron/contracts/metrics';

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

/** Parses a batch. A message that is none is not an error of ours: it is counted, and the intake goes on. */
export function decode(message: IntakeMessage): Incoming {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(message.data));
  } catch {
    return { message, batch: undefined };
  }
  const parsed = MetricBatch.safeParse(value);
  return { message, batch: parsed.success ? parsed.data : undefined };
}
