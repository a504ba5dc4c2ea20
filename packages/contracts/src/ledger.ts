import { z } from 'zod';
import { defineRpc } from './envelope.js';
import { PositionText } from './position.js';

/** How far the cache invalidator has followed the orchestrator's events without a gap. */
export const LedgerStatus = z.object({
  /** Every event up to this number is recorded. */
  contiguousSeq: z.number().int().nonnegative(),
  /** The highest number known of: recorded, or told by the watermark. */
  highestSeq: z.number().int().nonnegative(),
  /** Numbers that are missing between the two; the first 20 runs of them, both ends included. */
  missing: z.number().int().nonnegative(),
  holes: z.array(z.object({ fromSeq: z.number().int(), toSeq: z.number().int() })).max(20),
  /** How long the contiguous number has been waiting for the next one; 0 when nothing is missing. */
  oldestHoleAgeMs: z.number().int().nonnegative(),
  /** The newest watermark whose events are all recorded; null before the first. */
  watermark: z.object({ seq: z.number().int(), position: PositionText }).nullable(),
  /** Numbers that their owner did not have any more, and that were passed over. */
  skipped: z.number().int().nonnegative(),
});
export type LedgerStatus = z.infer<typeof LedgerStatus>;

export const ledgerRpc = {
  status: defineRpc('rpc.cache.ledger.status', z.object({}), LedgerStatus, 'bounded'),
};
