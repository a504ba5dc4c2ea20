import {
  BrokenCircuitError,
  circuitBreaker,
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  handleAll,
} from 'cockatiel';
import { createClient, ErrorReply, RESP_TYPES } from 'redis';
import type { Script } from './l2-scripts.js';

export interface RedisLinkOptions {
  /** `redis://…` or `rediss://…` */
  readonly url: string;
  /** Longest wait for one answer, milliseconds. */
  readonly timeoutMs?: number;
  /** How long Redis is left alone after it failed five times in a row, milliseconds. */
  readonly retryAfterMs?: number;
  /** Without any answer for so long the connection is taken for dead and made anew, milliseconds. */
  readonly deadAfterMs?: number;
  /** The connection broke, or was not made. */
  readonly onError?: (error: Error) => void;
  /** Redis answered a command with an error: told once until a command succeeds, for which an operator has to act. */
  readonly onRefused?: (error: Error) => void;
}

const TIMEOUT_MS = 50;
const RETRY_AFTER_MS = 250;
const DEAD_AFTER_MS = 5_000;
const FAILURES = 5;
/**
 * Commands that wait for an answer at most; more are refused at once, which says nothing about Redis. Some 15,000
 * gets of 12 kB pass in a second: what queues behind these would meet its deadline, and Redis be taken for broken.
 */
const MAX_WAITING = 1_000;
/** The client also keeps those that were given up: a stopped server must not cost memory. */
const MAX_QUEUED = 4 * MAX_WAITING;

type Client = ReturnType<typeof newClient>;

/** Redis did not answer in time, or is not asked as it did not answer lately. */
export class RedisUnavailable extends Error {
  constructor(options?: ErrorOptions) {
    super('Redis is not available', options);
    this.name = 'RedisUnavailable';
  }
}

/**
 * A connection to Redis that costs bounded time. Each command has a deadline of its own (the client's `timeout`
 * ends when the command is written, and a server that is stopped takes commands and stays silent); after five
 * failures in a row nothing is sent for a while, then one command at a time tries again. Nothing is queued while
 * the connection is down. It comes back by itself.
 */
export class RedisLink {
  #client: Client;
  #madeAt = performance.now();
  #answeredAt = performance.now();
  #closed = false;
  #waiting = 0;
  readonly #breaker: CircuitBreakerPolicy;
  readonly #timeoutMs: number;
  readonly #deadAfterMs: number;
  #refused = false;
  failures = 0;

  constructor(private readonly options: RedisLinkOptions) {
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.#deadAfterMs = options.deadAfterMs ?? DEAD_AFTER_MS;
    this.#breaker = circuitBreaker(handleAll, {
      halfOpenAfter: options.retryAfterMs ?? RETRY_AFTER_MS,
      breaker: new ConsecutiveBreaker(FAILURES),
    });
    this.#client = this.#connect();
  }

  /** Whether a command would be sent now. */
  get available(): boolean {
    return this.#client.isReady && this.#breaker.state === CircuitState.Closed;
  }

  /**
   * Runs a script on the server: by its hash, and by its text where the server does not know it (a new one).
   * @returns its reply: numbers, null, and Buffers for strings
   * @throws RedisUnavailable in bounded time
   */
  async run(script: Script, keys: readonly string[], args: readonly (string | Buffer)[]): Promise<unknown> {
    if (this.#waiting >= MAX_WAITING) throw new RedisUnavailable();
    this.#waiting += 1;
    try {
      return await this.#breaker.execute(() => this.#timed(() => this.#send(script, keys, args)));
    } catch (error) {
      if (!(error instanceof BrokenCircuitError)) {
        this.failures += 1;
        this.#tellRefusal(error);
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

  #timed(command: () => Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const late = () => reject(new Error(`no answer in ${this.#timeoutMs} ms`));
      // After a stall of this process timers come first; an answer that is here already is read before this.
      const timer = setTimeout(() => setImmediate(late), this.#timeoutMs);
      command()
        .then((reply) => {
          this.#answeredAt = performance.now();
          this.#refused = false;
          resolve(reply);
        }, reject)
        .finally(() => clearTimeout(timer));
    });
  }

  #tellRefusal(error: unknown): void {
    if (this.#refused || !(error instanceof ErrorReply)) return;
    this.#refused = true;
    this.options.onRefused?.(error);
  }

  /** A peer that vanished without a word leaves a socket that stays open for hours. */
  #renewIfDead(): void {
    const silentSince = Math.max(this.#answeredAt, this.#madeAt);
    if (this.#closed || performance.now() - silentSince < this.#deadAfterMs) return;
    this.#client.destroy();
    this.#client = this.#connect();
  }

  #connect(): Client {
    this.#madeAt = performance.now();
    const client = newClient(this.options.url);
    client.on('error', (error: Error) => this.options.onError?.(error));
    // It tries for ever; what it could not do at first was told by 'error'.
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
    // Values are bytes; numbers and simple strings stay what they are.
    commandOptions: { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } },
  });
}
