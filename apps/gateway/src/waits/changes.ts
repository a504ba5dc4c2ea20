import { Injectable } from '@nestjs/common';
import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import { DomainEvent } from '@novacron/contracts/events';
import { ServiceError } from '@novacron/contracts/errors';
import { Nats } from '@novacron/service-kit/inject';

/** Watches of this process at one time; one more is refused. */
const CAPACITY = 10_000;

type Listener = (event: DomainEvent) => void;

interface Watched {
  readonly subscription: Subscription;
  readonly listeners: Set<Listener>;
}

/**
 * Domain events of single objects, as they are published: one NATS subscription for each object, regardless of the
 * number of its watchers. A reconnect may lose events, so a watcher also reads from time to time.
 */
@Injectable()
export class Changes {
  private readonly shared = new Map<string, Watched>();
  private watching = 0;

  constructor(@Nats() private readonly nc: NatsConnection) {}

  /**
   * Delivers the object's events from now on. Replies to later requests on this connection arrive after them.
   * @param subject `eventSubject()` of contracts
   * @returns stops it
   * @throws ServiceError `overloaded` when this process has its maximum of watches
   */
  watch(subject: string, listener: Listener): () => void {
    if (this.watching >= CAPACITY) {
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

  private subscribe(subject: string): Watched {
    const listeners = new Set<Listener>();
    const subscription = this.nc.subscribe(subject, {
      callback: (error, message) => {
        if (error !== null) return;
        const event = DomainEvent.safeParse(safeJson(message.string()));
        // The listener ignores unrecognised messages. The one-second read catches up.
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
