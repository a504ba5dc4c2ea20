import {
  AckPolicy,
  DeliverPolicy,
  jetstream,
  jetstreamManager,
  ReplayPolicy,
  type JetStreamManager,
  type JsMsg,
} from '@nats-io/jetstream';
import { nanos, type NatsConnection } from '@nats-io/transport-node';
import type { Logger } from '@novacron/telemetry/logger';
import { ended, HEARTBEAT_MS, ignoreMissing, rebuilding } from './consumer-run.js';
import { SharedWork, type SharedMessage } from './shared-work.js';

export type { SharedMessage };

export interface SharedConsumerOptions {
  readonly nc: NatsConnection;
  readonly stream: string;
  /** Name of the durable consumer that all processes share. */
  readonly durable: string;
  readonly filterSubject?: string;
  /**
   * Called with one batch at a time; resolving requests the next one. Each message is acknowledged by itself, at any
   * later time. After an error the batch is returned, and delivered again to this process or another.
   */
  readonly handle: (batch: readonly SharedMessage[]) => Promise<void>;
  /** Called at the stop: resolves when the handed-over messages are acknowledged, or cannot be. */
  readonly settle?: () => Promise<void>;
  /** Waiting messages are handed over in batches of at most this many. Default 256. */
  readonly maxBatch?: number;
  /** Unacknowledged messages in all processes together, which bounds their buffers. Default 4,096. */
  readonly maxAckPending?: number;
  /** How long a silent process keeps its messages, milliseconds. Default 5,000. */
  readonly ackWaitMs?: number;
  readonly logger: Logger;
}

const ACK_WAIT_MS = 5_000;
/** Messages under way to one process at one time. */
const MAX_PULLED = 256;

/**
 * Reads a stream together with other processes. Each message goes to one of them, at least once, in any order. The
 * unacknowledged messages of a dead process go to another one. The consumer is rebuilt after any failure, until `stop`.
 */
export class SharedConsumer {
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #work: SharedWork | undefined;

  constructor(private readonly options: SharedConsumerOptions) {}

  /** Whether messages can arrive now; false while it is being rebuilt. */
  get healthy(): boolean {
    return this.#work !== undefined;
  }

  /** When the stream stored the oldest message of this process whose batch is not handled. */
  get oldest(): Date | undefined {
    return this.#work?.oldest;
  }

  start(): void {
    this.#running ??= rebuilding({ ...this.options, stop: this.#stop.signal }, () => this.#consume());
  }

  /** Starts no further batch, and resolves when the messages handed out are settled. The others go to other processes. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #consume(): Promise<void> {
    const { nc, stream, durable, ackWaitMs = ACK_WAIT_MS } = this.options;
    const manager = await jetstreamManager(nc, { checkAPI: false, timeout: 5_000 });
    const { created } = await manager.streams.info(stream);
    await this.#build(manager, ackWaitMs);
    const consumer = await jetstream(nc, { timeout: 5_000 }).consumers.get(stream, durable);
    const stop = this.#stop.signal;
    const work = new SharedWork({ ...this.options, streamCreated: created, ackWaitMs, stop });
    const messages = await consumer.consume({
      callback: (message: JsMsg) => work.push(message),
      max_messages: MAX_PULLED,
      idle_heartbeat: HEARTBEAT_MS,
      abort_on_missing_resource: true,
    });
    const end = new AbortController();
    this.#work = work;
    try {
      await Promise.race([work.run(), ended(messages, nc, end.signal)]);
    } finally {
      this.#work = undefined;
      end.abort();
      await messages.close();
      await work.idle();
      if (stop.aborted) await this.options.settle?.();
      work.close();
    }
  }

  /** Creates a missing durable that begins with the whole stream. Several processes may do so at once. */
  async #build(manager: JetStreamManager, ackWaitMs: number): Promise<void> {
    const { stream, durable, filterSubject, maxAckPending = 4_096 } = this.options;
    const present = await manager.consumers.info(stream, durable).catch(ignoreMissing);
    const limits = { ack_wait: nanos(ackWaitMs), max_ack_pending: maxAckPending };
    if (present === undefined) {
      await manager.consumers.add(stream, {
        durable_name: durable,
        ack_policy: AckPolicy.Explicit,
        replay_policy: ReplayPolicy.Instant,
        deliver_policy: DeliverPolicy.All,
        max_deliver: -1,
        ...limits,
        ...(filterSubject === undefined ? {} : { filter_subject: filterSubject }),
      });
    } else if (
      present.config.ack_wait !== limits.ack_wait ||
      present.config.max_ack_pending !== limits.max_ack_pending
    ) {
      await manager.consumers.update(stream, durable, limits);
    }
  }
}
