import { z } from 'zod';
import { EventKind } from './events.js';
import { PositionText } from './position.js';

/**
 * What caches are told of committed events, on core NATS: every event, also of kinds that no cache holds, so
 * that who listens sees by `seq` when a message was lost.
 */
export const Invalidation = z.object({
  v: z.literal(1),
  /** `<systemId>.<timeline>` that the positions are of. */
  history: z.string(),
  events: z.array(
    z.object({
      seq: z.number().int().positive(),
      tenantId: z.string(),
      kind: EventKind,
      id: z.string(),
      version: z.number().int(),
      /** Position of the event, in bytes of the log; decimal, as it may be beyond 2^53. */
      lsn: z.string(),
    }),
  ),
});
export type Invalidation = z.infer<typeof Invalidation>;
export type InvalidatedEvent = Invalidation['events'][number];

/**
 * New points of these VMs are committed: what is cached of their metrics is old if it was read before `position`.
 * On core NATS, at most once and up to 100 ms late; who listens sees by `n` when a message was lost.
 */
export const MetricsInvalidation = z
  .object({
    v: z.literal(1),
    /** Who tells: one ingester, between two changes of the partitions that it owns. */
    source: z.string(),
    /** The source's messages are numbered from 1 on, without a gap. */
    n: z.number().int().positive(),
    /** Every commit of points of these partitions up to here has been told, by this message or an earlier one. */
    complete: z
      .object({ partitions: z.array(z.number().int().nonnegative()), upTo: PositionText })
      .nullable(),
    vmIds: z.array(z.string()),
    /** Whose each VM is: as long as `vmIds`. */
    tenantIds: z.array(z.string()),
    /** At or after the commit of the points; without points the same as `complete.upTo`. */
    position: PositionText,
    /** When it was told, milliseconds since 1970. */
    at: z.number().int(),
  })
  .refine(({ vmIds, tenantIds }) => vmIds.length === tenantIds.length, 'each VM needs its tenant');
export type MetricsInvalidation = z.infer<typeof MetricsInvalidation>;

export const invalidationSubjects = {
  orchestrator: 'invalidations.orchestrator',
  metrics: 'invalidations.metrics',
} as const;
