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
import { ended, HEARTBEAT_MS, ignoreMissing, rebuilding } from './consumer-session.js';
import { SharedWork, type SharedMessage } from './shared-work.js';

export type { SharedMessage };

export interface SharedConsumerOptions {
  readonly nc: NatsConnection;
  readonly stream: string;
  /** Name of the durable consumer that all processes share. */
  readonly durable: string;
  readonly filterSubject?: string;
  /**
   * Called with one batch at a time; resolving asks for the next one. Messages are acknowledged one by one, by
   * whoever is done with them, at any time later. When it throws, the batch is given back and comes again, to this
   * process or another.
   */
  readonly handle: (batch: readonly SharedMessage[]) => Promise<void>;
  /** Asked when it stops: resolves when what was handed over is acknowledged, or cannot be. */
  readonly settle?: () => Promise<void>;
  /** Messages handed over together when they wait together. Default 256. */
  readonly maxBatch?: number;
  /** Messages that are not acknowledged, in all processes together: the bound of their buffers. Default 4,096. */
  readonly maxAckPending?: number;
  /** How long a process that fell silent keeps what it has, milliseconds. Default 5,000. */
  readonly ackWaitMs?: number;
  readonly logger: Logger;
}

const ACK_WAIT_MS = 5_000;
/** What one process has on its way to it at one time. */
const MAX_PULLED = 256;

/**
 * Reads a stream together with other processes: each message goes to one of them, at least once, in no order. What
 * a process had in hand when it died comes to another. It is built again after any failure, until `stop`.
 */
export class SharedConsumer {
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #work: SharedWork | undefined;

  constructor(private readonly options: SharedConsumerOptions) {}

  /** Whether messages can come at the moment; false while it is being (re)built. */
  get healthy(): boolean {
    return this.#work !== undefined;
  }

  /** When the stream took the oldest message that is here and whose batch is not handled. */
  get oldest(): Date | undefined {
    return this.#work?.oldest;
  }

  start(): void {
    this.#running ??= rebuilding({ ...this.options, stop: this.#stop.signal }, () => this.#session());
  }

  /** Hands out no further batch; resolves when what was handed out is settled. The rest comes again elsewhere. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #session(): Promise<void> {
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

  /** Makes the durable where it is missing, beginning with everything that the stream has. Several may do so at once. */
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
