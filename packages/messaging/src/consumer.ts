import {
  AckPolicy,
  DeliverPolicy,
  jetstream,
  jetstreamManager,
  ReplayPolicy,
  type ConsumerInfo,
  type JetStreamManager,
  type JsMsg,
} from '@nats-io/jetstream';
import { nanos, type NatsConnection } from '@nats-io/transport-node';
import type { Logger } from '@novacron/telemetry/logger';
import { ended, HEARTBEAT_MS, ignoreMissing, rebuilding } from './consumer-run.js';
import { OrderedWork, type StreamMessage } from './ordered-work.js';

export type { StreamMessage };

export interface ConsumerOptions {
  readonly nc: NatsConnection;
  readonly stream: string;
  /** Name of the durable consumer. Only one process at a time may run it, since it keeps the stream's order. */
  readonly durable: string;
  readonly filterSubject?: string;
  /**
   * For an owner that stores its own stream position: called at each build, returns the first stream sequence to
   * deliver. Without it the server's acknowledgements are the position, and a new durable begins with the whole stream.
   */
  readonly from?: (stream: { readonly created: string }) => Promise<number>;
  /**
   * Called with one batch at a time, in the stream's order. Resolving acknowledges the batch. An error is logged, and
   * the same batch is retried after a pause without limit. So the handler must be safe to repeat, and must itself
   * discard messages that can never succeed.
   */
  readonly handle: (batch: readonly StreamMessage[]) => Promise<void>;
  /** Waiting messages are handed over in batches of at most this many. Default 1. */
  readonly maxBatch?: number;
  /** Unacknowledged messages in this process, which bounds its buffer. Default 256. */
  readonly maxAckPending?: number;
  readonly logger: Logger;
}

const ACK_WAIT_MS = 30_000;

/**
 * Reads a stream through a durable pull consumer: in order, at least once, explicitly acknowledged. After any failure
 * of the connection, the server, the consumer or the stream it is rebuilt from the last acknowledged message, until
 * `stop`.
 */
export class DurableConsumer {
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #healthy = false;

  constructor(private readonly options: ConsumerOptions) {}

  /** Whether messages can arrive now; false while it is being rebuilt. */
  get healthy(): boolean {
    return this.#healthy;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Starts no further batch, and resolves when the current one is done. Unhandled messages are delivered again. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  #run(): Promise<void> {
    return rebuilding({ ...this.options, stop: this.#stop.signal }, async () => {
      try {
        await this.#consume();
      } finally {
        this.#healthy = false;
      }
    });
  }

  /** From one build to its end. Rejects on failure, resolves on stop. */
  async #consume(): Promise<void> {
    const { nc, stream, durable, maxAckPending = 256 } = this.options;
    const manager = await jetstreamManager(nc, { checkAPI: false, timeout: 5_000 });
    const { created } = await manager.streams.info(stream);
    await this.#build(manager, created);
    const consumer = await jetstream(nc, { timeout: 5_000 }).consumers.get(stream, durable);
    const work = new OrderedWork({
      ...this.options,
      streamCreated: created,
      ackWaitMs: ACK_WAIT_MS,
      stop: this.#stop.signal,
    });
    const messages = await consumer.consume({
      callback: (message: JsMsg) => work.push(message),
      max_messages: maxAckPending,
      idle_heartbeat: HEARTBEAT_MS,
      abort_on_missing_resource: true,
    });
    const end = new AbortController();
    this.#healthy = true;
    try {
      await Promise.race([work.run(), ended(messages, nc, end.signal)]);
    } finally {
      end.abort();
      work.close();
      await messages.close();
      // The current batch must end before the next run may hand out the same messages.
      await work.idle();
    }
  }

  /**
   * Makes the durable begin right after the last acknowledged message, with no message pending. A durable with pending
   * messages is recreated: the server would redeliver those only after their ack wait, behind newer messages.
   */
  async #build(manager: JetStreamManager, streamCreated: string): Promise<void> {
    const { stream, durable, from } = this.options;
    const present = await manager.consumers.info(stream, durable).catch(ignoreMissing);
    const next = from === undefined ? undefined : await from({ created: streamCreated });
    if (present !== undefined) {
      if (next === undefined && isClean(present) && this.#fits(present)) return;
      await manager.consumers.delete(stream, durable);
    }
    const startAt = next ?? (present === undefined ? 1 : present.ack_floor.stream_seq + 1);
    const { filterSubject, maxAckPending = 256 } = this.options;
    await manager.consumers.add(stream, {
      durable_name: durable,
      ack_policy: AckPolicy.Explicit,
      replay_policy: ReplayPolicy.Instant,
      ack_wait: nanos(ACK_WAIT_MS),
      max_deliver: -1,
      max_ack_pending: maxAckPending,
      ...(startAt > 1
        ? { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: startAt }
        : { deliver_policy: DeliverPolicy.All }),
      ...(filterSubject === undefined ? {} : { filter_subject: filterSubject }),
    });
  }

  #fits({ config }: ConsumerInfo): boolean {
    const { filterSubject, maxAckPending = 256 } = this.options;
    return config.filter_subject === filterSubject && config.max_ack_pending === maxAckPending;
  }
}

function isClean(info: ConsumerInfo): boolean {
  return info.num_ack_pending === 0 && info.num_redelivered === 0;
}
