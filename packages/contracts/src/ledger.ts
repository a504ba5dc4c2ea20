import { z } from 'zod';
import { defineRpc } from './envelope.js';
import { PositionText } from './position.js';

/** The cache-invalidator's ledger of the orchestrator's events. */
export const LedgerStatus = z.object({
  /** Every event up to this seq is persisted. */
  contiguousSeq: z.number().int().nonnegative(),
  /** The highest seq that was persisted or announced by a watermark. */
  highestSeq: z.number().int().nonnegative(),
  /** The number of missing seqs between the two. `holes` has their first 20 ranges, both ends included. */
  missing: z.number().int().nonnegative(),
  holes: z.array(z.object({ fromSeq: z.number().int(), toSeq: z.number().int() })).max(20),
  /** The age of the first hole. 0 without a hole. */
  oldestHoleAgeMs: z.number().int().nonnegative(),
  /** The newest watermark whose events are all persisted. Null before the first. */
  watermark: z.object({ seq: z.number().int(), position: PositionText }).nullable(),
  /** Seqs that were skipped because their owner no longer has the events. */
  skipped: z.number().int().nonnegative(),
});
export type LedgerStatus = z.infer<typeof LedgerStatus>;

export const ledgerRpc = {
  status: defineRpc('rpc.cache.ledger.status', z.object({}), LedgerStatus, 'bounded'),
};
