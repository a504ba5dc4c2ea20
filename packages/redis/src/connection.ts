import { CircuitBreaker, CircuitOpenError } from '@novacron/async/circuit-breaker';
import { withDeadline } from '@novacron/async/deadline';
import { createClient, ErrorReply, RESP_TYPES } from 'redis';
import type { Script } from './script.js';

export interface RedisOptions {
  /** `redis://…` or `rediss://…` */
  readonly url: string;
  /** The longest wait for one reply, milliseconds. */
  readonly timeoutMs?: number;
  /** How long the connection sends nothing after five failures in a row, milliseconds. */
  readonly retryAfterMs?: number;
  /** A connection without any reply for this long is considered dead and made anew, milliseconds. */
  readonly deadAfterMs?: number;
  /** The connection broke, or could not be made. */
  readonly onError?: (error: Error) => void;
  /**
   * Redis replied to a command with an error, on which an operator has to act. Called once until a command succeeds.
   */
  readonly onRefused?: (error: Error) => void;
}

const TIMEOUT_MS = 50;
const RETRY_AFTER_MS = 250;
const DEAD_AFTER_MS = 5_000;
const FAILURES = 5;
/**
 * The commands that wait for a reply at most. The connection refuses more at once, and does not count them as failures
 * of Redis. Redis serves about 15,000 gets of 12 kB in a second: commands behind a longer queue would miss their
 * deadlines, and the breaker would open.
 */
const MAX_WAITING = 1_000;
/** The client also keeps the commands that missed their deadline. The limit bounds the memory a stopped server costs. */
const MAX_QUEUED = 4 * MAX_WAITING;

/**
 * Timers run first after a stall of this process. The deadline waits for one more turn of the event loop, in which a
 * reply that has already arrived is read.
 */
const AFTER_READING = {
  setTimeout: (late: () => void, ms: number) => setTimeout(() => setImmediate(late), ms),
  clearTimeout: (timer: unknown) => clearTimeout(timer as NodeJS.Timeout),
};

type Client = ReturnType<typeof newClient>;

/** Redis did not reply in time, or the command was not sent because Redis failed recently. */
export class RedisUnavailable extends Error {
  constructor(options?: ErrorOptions) {
    super('Redis is not available', options);
    this.name = 'RedisUnavailable';
  }
}

/**
 * A connection to Redis that costs bounded time. Each command has its own deadline: the client's `timeout` ends when
 * the command is written, but a stopped server accepts commands and stays silent. After five failures in a row the
 * connection sends nothing for a while, then one command tests Redis. It queues nothing while it is disconnected, and
 * reconnects without limit.
 */
export class RedisConnection {
  #client: Client;
  #madeAt = performance.now();
  #repliedAt = performance.now();
  #closed = false;
  #waiting = 0;
  readonly #breaker: CircuitBreaker;
  readonly #timeoutMs: number;
  readonly #deadAfterMs: number;
  #refused = false;
  failures = 0;

  constructor(private readonly options: RedisOptions) {
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.#deadAfterMs = options.deadAfterMs ?? DEAD_AFTER_MS;
    this.#breaker = new CircuitBreaker({
      failures: FAILURES,
      openMs: options.retryAfterMs ?? RETRY_AFTER_MS,
    });
    this.#client = this.#connect();
  }

  /** Whether a command would be sent now. */
  get available(): boolean {
    return this.#client.isReady && this.#breaker.state === 'closed';
  }

  /**
   * Runs a script on the server.
   * @returns its reply: numbers, null, and Buffers for strings
   * @throws RedisUnavailable in bounded time
   */
  async run(script: Script, keys: readonly string[], args: readonly (string | Buffer)[]): Promise<unknown> {
    if (this.#waiting >= MAX_WAITING) throw new RedisUnavailable();
    this.#waiting += 1;
    try {
      return await this.#breaker.run(() => this.#timed(script, keys, args));
    } catch (error) {
      if (!(error instanceof CircuitOpenError)) {
        this.failures += 1;
        this.#reportRefusal(error);
        this.#renewIfDead();
      }
      throw new RedisUnavailable({ cause: error });
    } finally {
      this.#waiting -= 1;
    }
  }

  close(): void {
    this.#closed = true;
    this.#client.destroy();
  }

  #timed(script: Script, keys: readonly string[], args: readonly (string | Buffer)[]): Promise<unknown> {
    const late = () => new Error(`no reply within ${this.#timeoutMs} ms`);
    const send = async () => {
      const reply = await this.#send(script, keys, args);
      // A reply after the deadline proves as well that the server lives.
      this.#repliedAt = performance.now();
      this.#refused = false;
      return reply;
    };
    return withDeadline(send, this.#timeoutMs, late, AFTER_READING);
  }

  async #send(script: Script, keys: readonly string[], args: readonly (string | Buffer)[]): Promise<unknown> {
    const client = this.#client;
    const rest = [String(keys.length), ...keys, ...args];
    try {
      return await client.sendCommand(['EVALSHA', script.sha, ...rest]);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return client.sendCommand(['EVAL', script.text, ...rest]);
    }
  }

  #reportRefusal(error: unknown): void {
    if (this.#refused || !(error instanceof ErrorReply)) return;
    this.#refused = true;
    this.options.onRefused?.(error);
  }

  /** A server that vanished without closing the connection leaves a socket that stays open for hours. */
  #renewIfDead(): void {
    const silentSince = Math.max(this.#repliedAt, this.#madeAt);
    if (this.#closed || performance.now() - silentSince < this.#deadAfterMs) return;
    this.#client.destroy();
    this.#client = this.#connect();
  }

  #connect(): Client {
    this.#madeAt = performance.now();
    const client = newClient(this.options.url);
    client.on('error', (error: Error) => this.options.onError?.(error));
    // The client reconnects without limit. The 'error' event reports each failed attempt.
    client.connect().catch(() => undefined);
    return client;
  }
}

function newClient(url: string) {
  return createClient({
    url,
    RESP: 3,
    disableOfflineQueue: true,
    // The user of a service may run its scripts, and no other commands.
    disableClientInfo: true,
    maintNotifications: 'disabled',
    commandsQueueMaxLength: MAX_QUEUED,
    socket: { connectTimeout: 1_000, reconnectStrategy: (retries) => Math.min(50 * 2 ** retries, 1_000) },
    // Values are bytes; numbers and simple strings stay as they are.
    commandOptions: { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } },
  });
}
