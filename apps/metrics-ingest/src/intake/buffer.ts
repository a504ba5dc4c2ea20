import type { IntakeMessage } from './incoming.js';

export interface BufferLimits {
  /** The reader waits when the buffer holds this much; JetStream keeps the other messages. */
  readonly maxBytes: number;
  /** One write takes about this many bytes at most. */
  readonly writeBytes: number;
  /** A write waits this long after its first message for others. */
  readonly lingerMs: number;
}

export const BUFFER_LIMITS: BufferLimits = {
  maxBytes: 32 * 1024 ** 2,
  writeBytes: 8 * 1024 ** 2,
  lingerMs: 20,
};

/**
 * The buffer between the reader and the writer, bounded by bytes. When it is full, `put` waits, so the reader stops
 * requesting messages. Its messages are not acknowledged, so clearing it loses none.
 */
export class IntakeBuffer {
  #messages: IntakeMessage[] = [];
  #bytes = 0;
  #waiters: (() => void)[] = [];
  #lingering: (() => void) | undefined;

  constructor(
    private readonly limits: BufferLimits,
    private readonly signal: AbortSignal,
  ) {
    signal.addEventListener('abort', () => this.#wake(), { once: true });
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** When JetStream stored the oldest message in the buffer; undefined when it is empty. */
  get oldest(): number | undefined {
    return this.#messages[0]?.storedAt;
  }

  /** Waits for room and adds the message. Has no effect after the abort. */
  async put(message: IntakeMessage): Promise<void> {
    while (this.#bytes >= this.limits.maxBytes && !this.signal.aborted) await this.#changed();
    if (this.signal.aborted) return;
    this.#messages.push(message);
    this.#bytes += message.data.length;
    if (this.#bytes >= this.limits.writeBytes) this.#lingering?.();
    if (this.#messages.length === 1) this.#wake();
  }

  /** The messages of the next write, in the stream's order; empty after the abort. */
  async take(): Promise<IntakeMessage[]> {
    while (this.#messages.length === 0 && !this.signal.aborted) await this.#changed();
    if (this.#bytes < this.limits.writeBytes && !this.signal.aborted) await this.#linger();
    if (this.signal.aborted) return [];
    let bytes = 0;
    let count = 0;
    while (count < this.#messages.length && bytes < this.limits.writeBytes) {
      bytes += (this.#messages[count] as IntakeMessage).data.length;
      count++;
    }
    this.#bytes -= bytes;
    const taken = this.#messages.splice(0, count);
    this.#wake();
    return taken;
  }

  /** Removes every message; they are read again from the stored positions. */
  clear(): void {
    this.#messages = [];
    this.#bytes = 0;
    this.#wake();
  }

  #changed(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve();
    if (this.signal.aborted) this.#lingering?.();
  }

  #linger(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#lingering = undefined;
        resolve();
      };
      const timer = setTimeout(done, this.limits.lingerMs);
      this.#lingering = done;
    });
  }
}
