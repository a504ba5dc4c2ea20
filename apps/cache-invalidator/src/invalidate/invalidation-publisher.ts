import type { NatsConnection } from '@nats-io/transport-node';
import { endsWithin } from '@novacron/async/deadline';
import { changesOf, merged } from '@novacron/cache/rules';
import { type Invalidation, invalidationSubjects } from '@novacron/contracts/invalidation';
import { Nats } from '@novacron/service-kit/inject';
import { Injectable } from '@nestjs/common';
import type { EventHeader } from '../messages/event-header.js';
import { TombstoneWriter } from './tombstone-writer.js';

/** Events in one message: far below the server's limit of a megabyte. */
const MAX_EVENTS = 500;
/**
 * L2 is written first, but the broadcast waits for it no longer than this. Each L1 has its own tombstone before it
 * would take an old entry from L2, and L2 itself answers only up to the entry's position.
 */
const HEAD_START_MS = 10;

/** Publishes invalidations to all caches: tombstones and list generations to L2, then a broadcast to every L1. */
@Injectable()
export class InvalidationPublisher {
  /** Events published since the start. */
  events = 0;

  constructor(
    @Nats() private readonly nc: NatsConnection,
    private readonly tombstones: TombstoneWriter,
  ) {}

  /**
   * Safe to repeat, in any order. Every event is broadcast, also those that no cache holds: listeners detect gaps.
   * @returns when the events are broadcast; `persisted` resolves when L2 has them too, or its retry queue
   * @throws when the connection is closed; then nothing was broadcast
   */
  async publish(headers: readonly EventHeader[]): Promise<{ readonly persisted: Promise<void> }> {
    const writes: Promise<void>[] = [];
    for (const [lineage, events] of byLineage(headers)) {
      const changes = merged(events.flatMap((event) => changesOf(event, BigInt(event.lsn))));
      const written = this.tombstones.write(lineage, changes);
      writes.push(written);
      await endsWithin(() => written, HEAD_START_MS);
      this.#broadcast(lineage, events);
    }
    return { persisted: Promise.all(writes).then(() => undefined) };
  }

  #broadcast(lineage: string, events: readonly EventHeader['event'][]): void {
    for (let from = 0; from < events.length; from += MAX_EVENTS) {
      const part = events.slice(from, from + MAX_EVENTS);
      const message: Invalidation = { v: 1, history: lineage, events: part };
      this.nc.publish(invalidationSubjects.orchestrator, JSON.stringify(message));
    }
    this.events += events.length;
  }
}

function byLineage(headers: readonly EventHeader[]): Map<string, EventHeader['event'][]> {
  return new Map(
    Object.entries(Object.groupBy(headers, ({ lineage }) => lineage)).map(([lineage, group = []]) => [
      lineage,
      group.map(({ event }) => event),
    ]),
  );
}
