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
import { STREAM, type Resume } from './resume.js';

/** Messages requested at a time; at most this many wait in the client. */
const PREFETCH = 256;
/** The server deletes a consumer without requests for this long. */
const INACTIVE_NS = 60_000_000_000;
const ACK_WAIT_NS = 60_000_000_000;
const HEARTBEAT_MS = 5_000;
const EXPIRES_MS = 15_000;

/** The consumer is gone or silent. The next run recreates it from the stored position. */
export class ReaderLost extends Error {
  override readonly name = 'ReaderLost';
}

/**
 * Reads the given partitions from JetStream in order, and passes each message to `hand`, which may wait. Ends when the
 * signal fires.
 *
 * One consumer reads the whole stream and skips the partitions of other processes. So the messages of all partitions
 * arrive in one order, one write can take neighbouring messages, and an idle process keeps one request open instead of
 * sixteen. In exchange each process receives the messages of the others.
 * @throws ReaderLost when the consumer is gone, silent or out of order
 */
export async function readPartitions(
  js: JetStreamClient,
  manager: JetStreamManager,
  resumes: readonly Resume[],
  hand: (message: IntakeMessage) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { name } = await manager.consumers.add(STREAM, consumerConfig(resumes));
  const consumer = await js.consumers.get(STREAM, name);
  const messages = await consumer.consume({
    max_messages: PREFETCH,
    expires: EXPIRES_MS,
    idle_heartbeat: HEARTBEAT_MS,
    abort_on_missing_resource: true,
  });
  const stop = () => messages.stop();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  let lost: string | undefined;
  const watching = watch(messages, (why) => (lost ??= why));
  const wanted = new Map(resumes.map((resume) => [resume.position.partition, resume]));
  let delivery = 0;
  try {
    for await (const message of messages) {
      if (signal.aborted || lost !== undefined) break;
      delivery++;
      // A gap or a redelivery: JetStream would deliver the missing messages only after its ack wait, behind newer ones.
      if (message.info.deliverySequence !== delivery) {
        lost = 'deliveries are missing';
        break;
      }
      const one = intakeMessage(message, wanted);
      if (one) await hand(one);
    }
  } finally {
    signal.removeEventListener('abort', stop);
    messages.stop();
    await watching;
    // The server would delete it later by itself.
    await manager.consumers.delete(STREAM, name).catch(() => undefined);
  }
  if (!signal.aborted) throw new ReaderLost(lost ?? 'the consumer ended');
}

/** Begins with the first message that any partition needs. */
function consumerConfig(resumes: readonly Resume[]): Partial<ConsumerConfig> {
  const anew = resumes.filter(({ after }) => after > 0);
  const seq = Math.min(...resumes.filter(({ after }) => after === 0).map(({ position }) => position.seq + 1));
  const time = Math.min(
    ...anew.map(({ after }) => after),
    ...resumes.map(({ position }) => position.messageAt),
  );
  const from =
    anew.length === 0
      ? { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: seq }
      : { deliver_policy: DeliverPolicy.StartTime, opt_start_time: new Date(time).toISOString() };
  return {
    ...from,
    ack_policy: AckPolicy.All,
    max_deliver: -1,
    ack_wait: ACK_WAIT_NS,
    max_ack_pending: 100_000,
    inactive_threshold: INACTIVE_NS,
    mem_storage: true,
  };
}

/** The message, if it belongs to a wanted partition behind its position. */
function intakeMessage(message: JsMsg, wanted: ReadonlyMap<number, Resume>): IntakeMessage | undefined {
  // metrics.ingest.<p>.<source>
  const [, , partition, source = ''] = message.subject.split('.');
  const resume = wanted.get(Number(partition));
  if (!resume || message.seq <= resume.position.seq) return undefined;
  const storedAt = Number(message.timestampNanos / 1_000_000n);
  if (storedAt <= resume.after) return undefined;
  return {
    partition: Number(partition),
    streamGeneration: resume.position.streamGeneration,
    source,
    seq: message.seq,
    storedAt,
    pending: message.info.pending,
    data: message.data,
    ack: () => message.ack(),
  };
}

/** Stops reading at the first sign that messages may be missing. */
async function watch(messages: ConsumerMessages, lost: (why: string) => void): Promise<void> {
  for await (const { type } of messages.status()) {
    switch (type) {
      case 'heartbeats_missed':
      case 'consumer_deleted':
      case 'consumer_not_found':
      case 'no_responders':
        lost(type);
        messages.stop();
        break;
      default:
    }
  }
}
