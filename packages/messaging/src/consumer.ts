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
import { ended, HEARTBEAT_MS, ignoreMissing, rebuilding } from './consumer-session.js';
import { OrderedWork, type StreamMessage } from './ordered-work.js';

export type { StreamMessage };

export interface ConsumerOptions {
  readonly nc: NatsConnection;
  readonly stream: string;
  /** Name of the durable consumer. One process at a time may run it: order is worth nothing otherwise. */
  readonly durable: string;
  readonly filterSubject?: string;
  /**
   * Where to begin, asked at each (re)build: the first stream sequence that is still wanted, for one who
   * keeps its position in its own store. Without it the server's acknowledgements are the position, and a
   * new durable begins with everything that the stream has.
   */
  readonly from?: (stream: { readonly created: string }) => Promise<number>;
  /**
   * Called with one batch at a time, in the stream's order; resolving acknowledges it. What it throws is
   * logged and the same batch is given again, after a pause, for as long as it takes: so it must be safe to
   * repeat, and must itself put aside what can never succeed.
   */
  readonly handle: (batch: readonly StreamMessage[]) => Promise<void>;
  /** Messages handed over together when they wait together; default 1. */
  readonly maxBatch?: number;
  /** Messages in this process that are not acknowledged: the bound of its buffer. Default 256. */
  readonly maxAckPending?: number;
  readonly logger: Logger;
}

const ACK_WAIT_MS = 30_000;

/**
 * Reads a stream through a durable pull consumer: in order, at least once, explicitly acknowledged. Whatever
 * goes wrong - the connection, the server, the consumer or the stream gone - it is built again from the last
 * acknowledged message, until `stop`.
 */
export class DurableConsumer {
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #healthy = false;

  constructor(private readonly options: ConsumerOptions) {}

  /** Whether messages can come at the moment; false while it is being (re)built. */
  get healthy(): boolean {
    return this.#healthy;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Hands out no further batch; resolves when the one in hand is done. What was not handled comes again. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  #run(): Promise<void> {
    return rebuilding({ ...this.options, stop: this.#stop.signal }, async () => {
      try {
        await this.#session();
      } finally {
        this.#healthy = false;
      }
    });
  }

  /** From one build to its end. Rejects on failure, resolves on stop. */
  async #session(): Promise<void> {
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
      // The batch in hand must be done before the next session may hand out the same messages.
      await work.idle();
    }
  }

  /**
   * Makes the durable begin right after the last acknowledged message, with nothing pending. One with
   * messages pending is made anew: the server would give those only after their ack wait, behind newer ones.
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
