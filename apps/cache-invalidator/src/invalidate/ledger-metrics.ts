import { observableGauge } from '@novacron/telemetry/metrics';
import type { LedgerFollower } from './ledger-follower.js';

/** Exports how far the ledger is, as of the follower's last look a quarter of a second ago. */
export function exportLedger(follower: LedgerFollower): void {
  const gauge = (name: string, help: string, read: () => number | undefined) =>
    observableGauge(`novacron_cache_ledger_${name}`, help, (observe) => {
      const value = read();
      if (value !== undefined) observe(value);
    });
  gauge('contiguous_seq', 'Every event up to this number is recorded', () => follower.status?.contiguousSeq);
  gauge(
    'missing_events',
    'Numbers that are missing up to the highest known of',
    () => follower.status?.missing,
  );
  gauge('oldest_hole_age_seconds', 'How long the next number has been missing', () => {
    const age = follower.status?.oldestHoleAgeMs;
    return age === undefined ? undefined : age / 1_000;
  });
  gauge('lag_events', 'Events behind the newest watermark of their owner', () => {
    if (!follower.status || !follower.mark) return undefined;
    return Math.max(0, follower.mark.seq - follower.status.contiguousSeq);
  });
  gauge('leader', 'Whether this process is the one that follows the events', () => (follower.leads ? 1 : 0));
}
