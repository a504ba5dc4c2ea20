import {
  AckPolicy,
  DeliverPolicy,
  type ConsumerConfig,
  type ConsumerMessages,
  type JetStreamClient,
  type JetStreamManager,
  type JsMsg,
} from '@nats-io/jetstream';
import type { IntakeMessage } from './incoming.js';
import type { Leases, StoredPosition } from './leases.js';

export const STREAM = 'METRICS';

/** Messages asked for at a time, for each partition; at most this many wait in the client. */
const PREFETCH = 32;
/** The server forgets a consumer that nobody has asked for this long. */
const INACTIVE_NS = 60_000_000_000;
const HEARTBEAT_MS = 5_000;
const EXPIRES_MS = 15_000;

/** The consumer is gone or silent: whoever reads opens it again from the stored position. */
export class ReaderLost extends Error {
  override readonly name = 'ReaderLost';
}

/** What a partition is read from: positions are of this stream alone. */
export interface StreamState {
  /** When it was created, as JetStream says it. */
  readonly created: string;
  readonly lastSeq: number;
}

export async function streamState(manager: JetStreamManager): Promise<StreamState> {
  const info = await manager.streams.info(STREAM);
  return { created: info.created, lastSeq: info.state.last_seq };
}

/** Where to go on reading: behind a sequence, or, where sequences were given out anew, after a time. */
export interface Resume {
  readonly position: StoredPosition;
  readonly start: { readonly seq: number } | { readonly after: number };
}

/**
 * Compares the stored position with the stream that is there now. A stream that was made anew, or that came
 * back from a crash without its last messages, gives sequences out a second time: then a new generation begins.
 */
export async function resumeAt(
  manager: JetStreamManager,
  leases: Leases,
  stored: StoredPosition,
  stream: StreamState,
): Promise<Resume> {
  if (stored.stream !== stream.created) {
    return { position: await leases.adopt(stored, stream.created, 0), start: { seq: 1 } };
  }
  if (stored.seq > stream.lastSeq) {
    return {
      position: await leases.adopt(stored, stream.created, stream.lastSeq),
      start: { seq: stream.lastSeq + 1 },
    };
  }
  const there = stored.messageAt > 0 ? await storedAt(manager, stored.seq) : undefined;
  if (there !== undefined && there !== stored.messageAt) {
    return { position: await leases.adopt(stored, stream.created, 0), start: { after: stored.messageAt } };
  }
  return { position: stored, start: { seq: stored.seq + 1 } };
}

/** When the message at a sequence was stored; undefined when it is there no more. */
async function storedAt(manager: JetStreamManager, seq: number): Promise<number | undefined> {
  const message = await manager.streams.getMessage(STREAM, { seq });
  return message ? message.time.getTime() : undefined;
}

/**
 * Reads one partition from JetStream in order and hands each message on, waiting where `hand` waits. Ends when
 * the signal says so.
 * @throws ReaderLost when the consumer is gone, silent or out of order
 */
export async function readPartition(
  js: JetStreamClient,
  manager: JetStreamManager,
  resume: Resume,
  hand: (message: IntakeMessage) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { partition, generation } = resume.position;
  const { name } = await manager.consumers.add(STREAM, consumerConfig(resume));
  const consumer = await js.consumers.get(STREAM, name);
  const messages = await consumer.consume({
    max_messages: PREFETCH,
    expires: EXPIRES_MS,
    idle_heartbeat: HEARTBEAT_MS,
    abort_on_missing_resource: true,
  });
  const stop = () => messages.stop();
  signal.addEventListener('abort', stop, { once: true });
  let lost: string | undefined;
  const watching = watch(messages, (why) => (lost ??= why));
  let seq = resume.position.seq;
  let delivery = 0;
  try {
    for await (const message of messages) {
      if (signal.aborted || lost !== undefined) break;
      delivery++;
      if (message.info.deliverySequence !== delivery) {
        lost = 'deliveries are missing';
        break;
      }
      // Delivered again because an acknowledgement was late: it is on its way already.
      if (message.seq <= seq) continue;
      seq = message.seq;
      await hand(intakeMessage(message, partition, generation));
    }
  } finally {
    signal.removeEventListener('abort', stop);
    messages.stop();
    await watching;
    // The server forgets it by itself; this is only sooner.
    await manager.consumers.delete(STREAM, name).catch(() => undefined);
  }
  if (!signal.aborted) throw new ReaderLost(`partition ${partition}: ${lost ?? 'the consumer ended'}`);
}

function consumerConfig({ position, start }: Resume): Partial<ConsumerConfig> {
  const from =
    'seq' in start
      ? { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: start.seq }
      : { deliver_policy: DeliverPolicy.StartTime, opt_start_time: new Date(start.after).toISOString() };
  return {
    ...from,
    filter_subject: `metrics.ingest.${position.partition}.*`,
    ack_policy: AckPolicy.All,
    // Not delivered again within the life of a consumer: whoever loses a message opens a new one.
    max_deliver: -1,
    ack_wait: 60_000_000_000,
    max_ack_pending: 100_000,
    inactive_threshold: INACTIVE_NS,
    mem_storage: true,
  };
}

function intakeMessage(message: JsMsg, partition: number, generation: number): IntakeMessage {
  return {
    partition,
    generation,
    source: message.subject.slice(message.subject.lastIndexOf('.') + 1),
    seq: message.seq,
    storedAt: Number(message.timestampNanos / 1_000_000n),
    data: message.data,
    ack: () => message.ack(),
  };
}

/** Stops reading at the first sign that messages may be missing. */
async function watch(messages: ConsumerMessages, lost: (why: string) => void): Promise<void> {
  for await (const { type } of messages.status()) {
    if (
      type === 'heartbeats_missed' ||
      type === 'consumer_deleted' ||
      type === 'consumer_not_found' ||
      type === 'no_responders'
    ) {
      lost(type);
      messages.stop();
    }
  }
}
