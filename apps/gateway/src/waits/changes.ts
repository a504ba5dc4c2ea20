import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import { DomainEvent } from '@novacron/contracts/events';
import { ServiceError } from '@novacron/contracts/errors';

type Listener = (event: DomainEvent) => void;

interface Shared {
  readonly subscription: Subscription;
  readonly listeners: Set<Listener>;
}

/**
 * Domain events of single objects, as they are published: one NATS subscription for each object, however
 * many wait for it. Events may be missed (a reconnect): whoever watches also reads from time to time.
 */
export class Changes {
  private readonly shared = new Map<string, Shared>();
  private watching = 0;

  constructor(
    private readonly nc: NatsConnection,
    /** Watches at one time; one more is refused. */
    private readonly capacity = 10_000,
  ) {}

  /**
   * Hears the object's events from now on: what is asked on this connection afterwards is answered after them.
   * @param subject `eventSubject()` of contracts
   * @returns how to stop
   * @throws ServiceError `overloaded` when this process watches as much as it can
   */
  watch(subject: string, listener: Listener): () => void {
    if (this.watching >= this.capacity) {
      throw new ServiceError('overloaded', 'Too many waits at once.', { retryAfterMs: 1_000 });
    }
    const shared = this.shared.get(subject) ?? this.subscribe(subject);
    // Each watch has a function of its own, so that one listener may watch twice.
    const own: Listener = (event) => listener(event);
    shared.listeners.add(own);
    this.watching += 1;
    return () => {
      if (!shared.listeners.delete(own)) return;
      this.watching -= 1;
      if (shared.listeners.size > 0) return;
      shared.subscription.unsubscribe();
      this.shared.delete(subject);
    };
  }

  private subscribe(subject: string): Shared {
    const listeners = new Set<Listener>();
    const subscription = this.nc.subscribe(subject, {
      callback: (error, message) => {
        if (error !== null) return;
        const event = DomainEvent.safeParse(safeJson(message.string()));
        // What is no event of ours is not for us; the reading once a second sees the truth anyway.
        if (event.success) for (const listener of listeners) listener(event.data);
      },
    });
    const shared = { subscription, listeners };
    this.shared.set(subject, shared);
    return shared;
  }
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
