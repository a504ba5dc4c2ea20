import type { Registered } from '@novacron/contracts/agents';
import type { Clock } from '../time/clock.js';

const FIRST_RETRY_MS = 200;
const LAST_RETRY_MS = 5_000;

export interface RegistrationOptions {
  readonly clock: Clock;
  readonly register: () => Promise<Registered>;
  /** Rejects without an answer within `timeoutMs`. */
  readonly heartbeat: (timeoutMs: number) => Promise<'nothing' | 'register' | 'inventory'>;
  /** An epoch has begun. */
  readonly onRegistered: (registered: Registered) => void;
  readonly onInventoryWanted: () => void;
  readonly onFailure: (what: 'register' | 'heartbeat', error: unknown) => void;
}

/** Keeps the host registered: retries, sends heartbeats, and begins a new epoch on request. */
export class RegistrationLoop {
  readonly #closing = new AbortController();
  #registering: Promise<void> | undefined;
  #registered = false;
  #cancelBeat: (() => void) | undefined;

  constructor(private readonly options: RegistrationOptions) {}

  get registered(): boolean {
    return this.#registered && this.#registering === undefined;
  }

  /** Resolves when the registration under way, if any, has ended. */
  async settled(): Promise<void> {
    await this.#registering;
  }

  /** Registers the host, or joins the registration under way. Never rejects. */
  begin(): Promise<void> {
    this.#registering ??= this.#register().finally(() => (this.#registering = undefined));
    return this.#registering;
  }

  close(): void {
    this.#closing.abort(new Error('the agent is stopping'));
    this.#cancelBeat?.();
  }

  async #register(): Promise<void> {
    const { clock, register, onRegistered, onFailure } = this.options;
    const { signal } = this.#closing;
    for (let retryMs = FIRST_RETRY_MS; !signal.aborted; retryMs = Math.min(retryMs * 2, LAST_RETRY_MS)) {
      try {
        const answer = await register();
        this.#registered = true;
        onRegistered(answer);
        this.#beatIn(answer.heartbeatMs);
        return;
      } catch (error) {
        onFailure('register', error);
        // Hosts that lost their server at the same time must not retry in step.
        await Promise.allSettled([clock.sleep(retryMs * (0.5 + Math.random()), signal)]);
      }
    }
  }

  #beatIn(everyMs: number, inMs = everyMs): void {
    this.#cancelBeat?.();
    if (this.#closing.signal.aborted) return;
    this.#cancelBeat = this.options.clock.after(inMs, () => void this.#beat(everyMs));
  }

  /**
   * After a heartbeat without an answer the interval is halved: the orchestrator that received it may be stalled, and
   * another one receives the next. One lost message must not make the host unreachable.
   */
  async #beat(everyMs: number): Promise<void> {
    const { clock, heartbeat, onFailure, onInventoryWanted } = this.options;
    const startedAt = clock.now();
    let nextInMs = everyMs;
    try {
      const needed = await heartbeat(everyMs / 2);
      if (needed === 'register') return await this.begin();
      if (needed === 'inventory') onInventoryWanted();
    } catch (error) {
      onFailure('heartbeat', error);
      nextInMs = Math.min(everyMs / 2, Math.max(0, everyMs / 2 - (clock.now() - startedAt)));
    }
    if (!this.#registering) this.#beatIn(everyMs, nextInMs);
  }
}
