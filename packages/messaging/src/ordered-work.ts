import type { JsMsg } from '@nats-io/jetstream';
import { Backoff } from '@novacron/async/backoff';
import { Periodic } from '@novacron/async/periodic';
import { pause } from '@novacron/async/sleep';
import { consumed } from '@novacron/telemetry/diagnostics';
import type { Logger } from '@novacron/telemetry/logger';
import { SpanKind, withRemoteSpan } from '@novacron/telemetry/trace';

export interface StreamMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  /** The stream sequence. Sequences of streams with different creation times are not comparable. */
  readonly streamSeq: number;
  /** When the stream was created (RFC 3339), which identifies the stream. */
  readonly streamCreated: string;
  /** When the stream stored the message. */
  readonly time: Date;
  header(name: string): string | undefined;
}

export interface OrderedWorkOptions {
  readonly stream: string;
  readonly durable: string;
  readonly streamCreated: string;
  readonly handle: (batch: readonly StreamMessage[]) => Promise<void>;
  readonly maxBatch?: number;
  readonly ackWaitMs: number;
  readonly stop: AbortSignal;
  readonly logger: Logger;
}

const FIRST_PAUSE_MS = 100;
const LAST_PAUSE_MS = 5_000;

/**
 * The messages of one run, handled one batch after the other. The server's `max_ack_pending` bounds the buffer.
 */
export class OrderedWork {
  readonly #buffer: JsMsg[] = [];
  #inHand: readonly JsMsg[] = [];
  #lastSeq = 0;
  #closed = false;
  #wake: () => void = () => undefined;
  #running: Promise<void> = Promise.resolve();
  readonly #keepAlive: Periodic;

  constructor(private readonly options: OrderedWorkOptions) {
    // Without this the server would redeliver messages that wait longer than the ack wait, behind newer ones.
    this.#keepAlive = new Periodic(() => this.#keepMessages(), {
      everyMs: options.ackWaitMs / 3,
      // The connection is closed, which ends the run by itself.
      onError: (err) => options.logger.debug({ err }, 'message keep-alive failed'),
    });
    this.#keepAlive.start();
    options.stop.addEventListener('abort', this.#onStop, { once: true });
  }

  #keepMessages(): void {
    for (const message of [...this.#inHand, ...this.#buffer]) message.working();
  }

  push(message: JsMsg): void {
    this.#buffer.push(message);
    this.#wake();
  }

  /** Handles messages until `close` or the stop. */
  run(): Promise<void> {
    this.#running = this.#loop();
    return this.#running;
  }

  /** Starts no further batch. */
  close(): void {
    this.#closed = true;
    void this.#keepAlive.stop();
    this.options.stop.removeEventListener('abort', this.#onStop);
    this.#wake();
  }

  /** Resolves when the current batch is done. */
  async idle(): Promise<void> {
    await this.#running;
  }

  readonly #onStop = (): void => this.#wake();

  get #over(): boolean {
    return this.#closed || this.options.stop.aborted;
  }

  async #loop(): Promise<void> {
    while (!this.#over) {
      const batch = this.#next();
      if (batch.length > 0) await this.#untilDone(batch);
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** The next messages in order. A message that this run has handled is only acknowledged again. */
  #next(): JsMsg[] {
    const batch: JsMsg[] = [];
    while (this.#buffer.length > 0 && batch.length < (this.options.maxBatch ?? 1)) {
      const message = this.#buffer.shift() as JsMsg;
      if (message.seq <= this.#lastSeq) {
        message.ack();
        continue;
      }
      this.#lastSeq = message.seq;
      batch.push(message);
    }
    return batch;
  }

  async #untilDone(batch: readonly JsMsg[]): Promise<void> {
    this.#inHand = batch;
    const backoff = new Backoff({ firstMs: FIRST_PAUSE_MS, maxMs: LAST_PAUSE_MS });
    while (!this.#over) {
      if (await this.#attempt(batch)) break;
      await pause(backoff.next(), { signal: this.options.stop });
    }
    this.#inHand = [];
  }

  async #attempt(batch: readonly JsMsg[]): Promise<boolean> {
    const { stream, durable, logger } = this.options;
    try {
      await this.#traced(batch);
    } catch (error) {
      logger.error(
        { err: error, stream, durable, streamSeq: batch[0]?.seq },
        'message handling failed; retrying',
      );
      consumed.publish({ stream, consumer: durable, outcome: 'failed', pending: pendingAfter(batch) });
      return false;
    }
    for (const message of batch) {
      message.ack();
      consumed.publish({ stream, consumer: durable, outcome: 'ok', pending: message.info.pending });
    }
    return true;
  }

  /** Within the trace of the batch's first message. */
  #traced(batch: readonly JsMsg[]): Promise<void> {
    const { stream, durable, handle, streamCreated } = this.options;
    const messages = batch.map((message) => streamMessage(message, streamCreated));
    return withRemoteSpan(
      `consume ${stream}`,
      (name) => messages[0]?.header(name),
      { 'messaging.consumer.group.name': durable, 'messaging.batch.message_count': batch.length },
      () => handle(messages),
      SpanKind.CONSUMER,
    );
  }
}

/** The number of messages in the stream for this consumer behind the batch. */
function pendingAfter(batch: readonly JsMsg[]): number {
  return batch.at(-1)?.info.pending ?? 0;
}

export function streamMessage(message: JsMsg, streamCreated: string): StreamMessage {
  return {
    subject: message.subject,
    data: message.data,
    streamSeq: message.seq,
    streamCreated,
    time: message.time,
    header: (name) => message.headers?.get(name) || undefined,
  };
}
