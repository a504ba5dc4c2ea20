import { z } from 'zod';
import { EventKind } from './events.js';

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

/** New points of these VMs are in: what is cached of their metrics is old. */
export const MetricsInvalidation = z.object({ v: z.literal(1), vmIds: z.array(z.string()), at: z.number().int() });
export type MetricsInvalidation = z.infer<typeof MetricsInvalidation>;

export const invalidationSubjects = {
  orchestrator: 'invalidations.orchestrator',
  metrics: 'invalidations.metrics',
} as const;
