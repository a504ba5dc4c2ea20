import { counter } from '@novacron/telemetry/metrics';

/** Why a point was dropped. `malformed` counts messages: what is in them cannot be told. */
const REASONS = [
  'malformed',
  'bad_index',
  'wrong_partition',
  'unknown_vm',
  'foreign_vm',
  'not_on_host',
  'vm_deleted',
  'too_old',
  'in_future',
  'too_many_names',
] as const;
export type RejectReason = (typeof REASONS)[number];

const rejected = counter(
  'novacron_metrics_rejected_points_total',
  'Points that the intake dropped, by reason',
  REASONS.map((reason) => ({ reason })),
);

/** Counts what one write dropped; told to the metrics only once that write is committed. */
export class Rejections {
  readonly counts = new Map<RejectReason, number>();

  add(reason: RejectReason, points = 1): void {
    if (points > 0) this.counts.set(reason, (this.counts.get(reason) ?? 0) + points);
  }

  publish(): void {
    for (const [reason, points] of this.counts) rejected.add(points, { reason });
  }
}
