import { z } from 'zod';
import { EventKind } from './events.js';
import { PositionText } from './position.js';

/**
 * Committed events for caches, on core NATS. It contains events of every kind, so that a listener detects a lost message
 * by a gap in `seq`.
 */
export const Invalidation = z.object({
  v: z.literal(1),
  /** The timeline of the positions: `<systemId>.<timeline>`. */
  history: z.string(),
  events: z.array(
    z.object({
      seq: z.number().int().positive(),
      tenantId: z.string(),
      kind: EventKind,
      id: z.string(),
      version: z.number().int(),
      /** The WAL position of the event, in bytes. Decimal, because it may exceed 2^53. */
      lsn: z.string(),
    }),
  ),
});
export type Invalidation = z.infer<typeof Invalidation>;
export type InvalidatedEvent = Invalidation['events'][number];

/**
 * New points of these VMs are committed. A cached answer about their metrics is stale if it was read before `position`.
 * The message travels on core NATS, at most once and up to 100 ms late. A listener detects a lost message by a gap in
 * `n`.
 */
export const MetricsInvalidation = z
  .object({
    v: z.literal(1),
    /** The publisher: one ingester, between two changes of its partitions. */
    source: z.string(),
    /** Counts the messages of the source, from 1 and without a gap. */
    n: z.number().int().positive(),
    /** This message and the earlier ones cover every commit of points of these partitions up to `upTo`. */
    complete: z
      .object({ partitions: z.array(z.number().int().nonnegative()), upTo: PositionText })
      .nullable(),
    vmIds: z.array(z.string()),
    /** The tenant of each VM, in the order of `vmIds`. */
    tenantIds: z.array(z.string()),
    /** At or after the commit of the points. Without points it equals `complete.upTo`. */
    position: PositionText,
    /** When the message was published, milliseconds since 1970. */
    at: z.number().int(),
  })
  .refine(({ vmIds, tenantIds }) => vmIds.length === tenantIds.length, 'each VM needs its tenant');
export type MetricsInvalidation = z.infer<typeof MetricsInvalidation>;

export const invalidationSubjects = {
  orchestrator: 'invalidations.orchestrator',
  metrics: 'invalidations.metrics',
} as const;
