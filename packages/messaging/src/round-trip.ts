import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import { randomUUID } from 'node:crypto';

/**
 * Proves that messages pass from this process through NATS and back. An open connection is not a proof: a frozen server
 * keeps its sockets, and the client detects that only after several pings.
 */
export class RoundTrip {
  readonly #subject: string;
  readonly #subscription: Subscription;
  #provenAt: number;

  /** @param prefix of a subject that this user may publish and subscribe to, as in `wake.orchestrator` */
  constructor(
    private readonly nc: NatsConnection,
    prefix: string,
    private readonly clock: () => number = () => performance.now(),
  ) {
    this.#provenAt = clock();
    this.#subject = `${prefix}.echo.${randomUUID()}`;
    this.#subscription = nc.subscribe(this.#subject, {
      callback: (error, message) => {
        if (!error) this.#provenAt = Math.max(this.#provenAt, Number(message.string()));
      },
    });
  }

  /** Sends one message. A closed connection sends none, so it cannot prove a round trip. */
  send(): void {
    if (!this.nc.isClosed()) this.nc.publish(this.#subject, String(this.clock()));
  }

  /** Milliseconds since the send time of the newest message that returned. */
  get silentForMs(): number {
    return this.clock() - this.#provenAt;
  }

  close(): void {
    if (!this.nc.isClosed()) this.#subscription.unsubscribe();
  }
}
