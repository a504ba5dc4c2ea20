import type { NatsConnection } from '@nats-io/transport-node';
import { changesOf, merged } from '@novacron/cache/rules';
import { type Invalidation, invalidationSubjects } from '@novacron/contracts/invalidation';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Head } from '../messages/event-header.js';
import type { SharedLevel } from './tombstone-writer.js';

/** Events in one message: far below the server's limit of a megabyte. */
const MAX_EVENTS = 500;
/**
 * L2 is told first, but who listens does not wait for it longer than this: each L1 has its own tombstone before it
 * would take an old entry out of L2, and L2 itself answers only up to the entry's position.
 */
const HEAD_START_MS = 10;

/** Tells all caches what has become old: tombstones and generations in L2, then the word to every L1. */
export class Teller {
  /** Events told since the start. */
  events = 0;

  constructor(
    private readonly nc: Pick<NatsConnection, 'publish'>,
    private readonly shared: SharedLevel,
  ) {}

  /**
   * Safe to repeat, in any order. Every event is broadcast, also those that no cache holds: listeners look for gaps.
   * @returns when it is broadcast; `marked` resolves when L2 has it too, or owes it
   * @throws when the connection is closed; then nothing was broadcast
   */
  async tell(heads: readonly Head[]): Promise<{ readonly marked: Promise<void> }> {
    const marking: Promise<void>[] = [];
    for (const [history, events] of byHistory(heads)) {
      const changes = merged(events.flatMap((event) => changesOf(event, BigInt(event.lsn))));
      const marked = this.shared.invalidate(history, changes);
      marking.push(marked);
      await Promise.race([marked, sleep(HEAD_START_MS, undefined, { ref: false })]);
      this.#broadcast(history, events);
    }
    return { marked: Promise.all(marking).then(() => undefined) };
  }

  #broadcast(history: string, events: readonly Head['event'][]): void {
    for (let from = 0; from < events.length; from += MAX_EVENTS) {
      const message: Invalidation = { v: 1, history, events: events.slice(from, from + MAX_EVENTS) };
      this.nc.publish(invalidationSubjects.orchestrator, JSON.stringify(message));
    }
    this.events += events.length;
  }
}

function byHistory(heads: readonly Head[]): Map<string, Head['event'][]> {
  const all = new Map<string, Head['event'][]>();
  for (const { history, event } of heads) {
    const known = all.get(history);
    if (known) known.push(event);
    else all.set(history, [event]);
  }
  return all;
}
