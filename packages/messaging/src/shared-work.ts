import type { JsMsg } from '@nats-io/jetstream';
import { consumed } from '@novacron/telemetry/diagnostics';
import type { Logger } from '@novacron/telemetry/logger';
import { SpanKind, withRemoteSpan } from '@novacron/telemetry/trace';
import { streamMessage, type StreamMessage } from './ordered-work.js';

export interface SharedMessage extends StreamMessage {
  /** It came before, here or to another process. */
  readonly redelivered: boolean;
  /** It is done with. After the connection was lost this does nothing: the message comes again. */
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

/** The messages of one session: handled batch after batch, held until they are acknowledged. */
export class SharedWork {
  readonly #buffer: JsMsg[] = [];
  #inHand: readonly JsMsg[] = [];
  /** By number in the stream, oldest first: what is here and not acknowledged. */
  readonly #held = new Map<number, JsMsg>();
  #over = false;
  #closed = false;
  #wake: () => void = () => undefined;
  #running: Promise<void> = Promise.resolve();
  readonly #keepAlive: NodeJS.Timeout;

  constructor(private readonly options: SharedWorkOptions) {
    this.#keepAlive = setInterval(() => this.#hold(), options.ackWaitMs / 3).unref();
    options.stop.addEventListener('abort', this.#onStop, { once: true });
  }

  get oldest(): Date | undefined {
    return (this.#inHand[0] ?? this.#buffer[0])?.time;
  }

  push(message: JsMsg): void {
    // It came again while it is still held, after a moment in which nothing could be said: the first one counts.
    if (this.#held.has(message.seq)) return;
    this.#held.set(message.seq, message);
    this.#buffer.push(message);
    this.#wake();
  }

  /** Works until `close` or the stop. */
  run(): Promise<void> {
    this.#running = this.#loop();
    return this.#running;
  }

  /** No further batch begins; resolves when the one in hand is done. */
  async idle(): Promise<void> {
    this.#over = true;
    this.#wake();
    await this.#running;
  }

  /** Nothing is acknowledged any more. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#keepAlive);
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
      logger.error({ err: error, stream, durable, messages: batch.length }, 'messages were given back');
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
    // A stream that was made anew has other messages under the same numbers.
    if (this.#closed || !this.#held.delete(message.seq)) return;
    message.ack();
    const { stream, durable } = this.options;
    consumed.publish({ stream, consumer: durable, outcome: 'ok', pending: message.info.pending });
  }

  #giveBack(message: JsMsg): void {
    if (!this.#closed && this.#held.delete(message.seq)) message.nak(GIVE_BACK_MS);
  }

  /** What waits here longer than the server's patience would go to another process as well. */
  #hold(): void {
    try {
      for (const message of this.#held.values()) message.working();
    } catch (error) {
      // The connection is closed; that ends the session by itself.
      this.options.logger.debug({ err: error }, 'messages could not be held');
    }
  }
}
