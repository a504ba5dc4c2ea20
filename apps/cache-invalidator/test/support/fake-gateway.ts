import type { NatsConnection } from '@nats-io/transport-node';
import { Coherence } from '@novacron/cache/coherence';
import { L1 } from '@novacron/cache/l1';
import { changesOf } from '@novacron/cache/rules';
import { Watermark, watermarkSubject } from '@novacron/contracts/events';
import { Invalidation, invalidationSubjects, type InvalidatedEvent } from '@novacron/contracts/invalidation';
import { parsePosition } from '@novacron/contracts/position';

/** Stands where a gateway stands: an L1 that follows what it hears, and a list of everything heard. */
export class Listener {
  readonly heard: InvalidatedEvent[] = [];
  readonly l1 = new L1({ maxBytes: 1_000_000 });
  readonly coherence = new Coherence({ l1: this.l1, rules: changesOf });

  constructor(nc: NatsConnection) {
    nc.subscribe(invalidationSubjects.orchestrator, {
      callback: (_, message) => {
        const told = Invalidation.parse(message.json());
        this.heard.push(...told.events);
        this.coherence.onInvalidation(told);
      },
    });
    nc.subscribe(watermarkSubject('orchestrator'), {
      callback: (_, message) => {
        const mark = Watermark.parse(message.json());
        this.coherence.onWatermark(mark.seq, parsePosition(mark.position));
      },
    });
    this.coherence.start();
  }

  /** The numbers of these that were never heard. */
  missing(seqs: Iterable<number>): number[] {
    const heard = new Set(this.heard.map(({ seq }) => seq));
    return [...seqs].filter((seq) => !heard.has(seq));
  }

  stop(): void {
    this.coherence.stop();
  }
}
