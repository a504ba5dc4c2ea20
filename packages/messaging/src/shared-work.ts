import type { JsMsg } from '@nats-io/jetstream';
import { Periodic } from '@novacron/async/periodic';
import { consumed } from '@novacron/telemetry/diagnostics';
import type { Logger } from '@novacron/telemetry/logger';
import { SpanKind, withRemoteSpan } from '@novacron/telemetry/trace';
import { streamMessage, type StreamMessage } from './ordered-work.js';

export interface SharedMessage extends StreamMessage {
  /** Delivered before, to this process or another. */
  readonly redelivered: boolean;
  /** Marks the message as done. It has no effect after the connection was lost: the message is delivered again. */
  ack(): void;
}

export interface SharedWorkOptions {
  readonly stream: string;
  readonly durable: string;
  readonly streamCreated: string;
  readonly handle: (batch: readonly SharedMessage[]) => Promise<void>;
  readonly maxBatch?: number;
  readonly ackWaitMs: number;
  readonly stop: AbortSignal;
  readonly logger: Logger;
}

const MAX_BATCH = 256;
const GIVE_BACK_MS = 250;

/** The messages of one run: handled batch by batch, held until they are acknowledged. */
export class SharedWork {
  readonly #buffer: JsMsg[] = [];
  #inHand: readonly JsMsg[] = [];
  /** Unacknowledged messages of this process by stream sequence, oldest first. */
  readonly #held = new Map<number, JsMsg>();
  #over = false;
  #closed = false;
  #wake: () => void = () => undefined;
  #running: Promise<void> = Promise.resolve();
  readonly #keepAlive: Periodic;

  constructor(private readonly options: SharedWorkOptions) {
    this.#keepAlive = new Periodic(() => this.#hold(), {
      everyMs: options.ackWaitMs / 3,
      // The connection is closed, which ends the run by itself.
      onError: (err) => options.logger.debug({ err }, 'message keep-alive failed'),
    });
    this.#keepAlive.start();
    options.stop.addEventListener('abort', this.#onStop, { once: true });
  }

  get oldest(): Date | undefined {
    return (this.#inHand[0] ?? this.#buffer[0])?.time;
  }

  push(message: JsMsg): void {
    // Redelivered while it is still held, because keep-alives were delayed. The first delivery counts.
    if (this.#held.has(message.seq)) return;
    this.#held.set(message.seq, message);
    this.#buffer.push(message);
    this.#wake();
  }

  /** Handles messages until `close` or the stop. */
  run(): Promise<void> {
    this.#running = this.#loop();
    return this.#running;
  }

  /** Starts no further batch, and resolves when the current one is done. */
  async idle(): Promise<void> {
    this.#over = true;
    this.#wake();
    await this.#running;
  }

  /** Acknowledges no further message. */
  close(): void {
    this.#closed = true;
    void this.#keepAlive.stop();
    this.options.stop.removeEventListener('abort', this.#onStop);
  }

  readonly #onStop = (): void => {
    this.#over = true;
    this.#wake();
  };

  async #loop(): Promise<void> {
    while (!this.#over) {
      this.#inHand = this.#buffer.splice(0, this.options.maxBatch ?? MAX_BATCH);
      if (this.#inHand.length > 0) await this.#handle(this.#inHand);
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    this.#inHand = [];
  }

  async #handle(batch: readonly JsMsg[]): Promise<void> {
    const { stream, durable, logger, handle } = this.options;
    const messages = batch.map((message) => this.#shared(message));
    try {
      await withRemoteSpan(
        `consume ${stream}`,
        (name) => messages[0]?.header(name),
        { 'messaging.consumer.group.name': durable, 'messaging.batch.message_count': batch.length },
        () => handle(messages),
        SpanKind.CONSUMER,
      );
    } catch (error) {
      logger.error(
        { err: error, stream, durable, messages: batch.length },
        'message handling failed; returned to the stream',
      );
      consumed.publish({
        stream,
        consumer: durable,
        outcome: 'failed',
        pending: batch.at(-1)?.info.pending ?? 0,
      });
      for (const message of batch) this.#giveBack(message);
    }
  }

  #shared(message: JsMsg): SharedMessage {
    return {
      ...streamMessage(message, this.options.streamCreated),
      redelivered: message.redelivered,
      ack: () => this.#ack(message),
    };
  }

  #ack(message: JsMsg): void {
    // A recreated stream has other messages under the same sequences.
    if (this.#closed || !this.#held.delete(message.seq)) return;
    message.ack();
    const { stream, durable } = this.options;
    consumed.publish({ stream, consumer: durable, outcome: 'ok', pending: message.info.pending });
  }

  #giveBack(message: JsMsg): void {
    if (!this.#closed && this.#held.delete(message.seq)) message.nak(GIVE_BACK_MS);
  }

  /** Without this, messages that wait longer than the ack wait would go to another process as well. */
  #hold(): void {
    for (const message of this.#held.values()) message.working();
  }
}
