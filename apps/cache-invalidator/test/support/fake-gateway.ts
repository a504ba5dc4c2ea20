import type { NatsConnection } from '@nats-io/transport-node';
import { Coherence } from '@novacron/cache/coherence';
import { L1 } from '@novacron/cache/l1';
import { changesOf } from '@novacron/cache/rules';
import { Watermark, watermarkSubject } from '@novacron/contracts/events';
import { Invalidation, invalidationSubjects, type InvalidatedEvent } from '@novacron/contracts/invalidation';
import { parsePosition } from '@novacron/contracts/position';

/** Receives invalidations like a gateway: an L1 that follows them, and a list of the events. */
export class FakeGateway {
  readonly received: InvalidatedEvent[] = [];
  readonly l1 = new L1({ maxBytes: 1_000_000 });
  readonly coherence = new Coherence({ l1: this.l1, rules: changesOf });

  constructor(nc: NatsConnection) {
    nc.subscribe(invalidationSubjects.orchestrator, {
      callback: (_, message) => {
        const invalidation = Invalidation.parse(message.json());
        this.received.push(...invalidation.events);
        this.coherence.onInvalidation(invalidation);
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

  /** The numbers among these that were not received. */
  missing(seqs: Iterable<number>): number[] {
    const received = new Set(this.received.map(({ seq }) => seq));
    return [...seqs].filter((seq) => !received.has(seq));
  }

  stop(): void {
    this.coherence.stop();
  }
}
