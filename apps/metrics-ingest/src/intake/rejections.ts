import type { DropReason } from '@novacron/contracts/metrics';
import { counter } from '@novacron/telemetry/metrics';
import type { DroppedPoints } from '../store/write.js';

/** Why a point was dropped. `malformed` counts messages, since their points are not readable. */
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
  'unstorable',
] as const;
export type RejectReason = (typeof REASONS)[number];

/** The reasons that tenants see. The others are faults of hosts, which only operators can fix. */
const SHOWN: Readonly<Partial<Record<RejectReason, DropReason>>> = {
  unknown_vm: 'unknown_vm',
  // A VM of another tenant looks like a missing one.
  foreign_vm: 'unknown_vm',
  vm_deleted: 'vm_deleted',
  too_old: 'too_old',
  in_future: 'in_future',
  too_many_names: 'too_many_names',
  unstorable: 'unstorable',
};

const rejected = counter(
  'novacron_metrics_rejected_points_total',
  'Points that the intake dropped, by reason',
  REASONS.map((reason) => ({ reason })),
);

/** The VM and metric of dropped points, in their sender's spelling. */
export interface Subject {
  readonly tenantId: string;
  readonly vmId: string;
  readonly metric: string;
}

/** Counts the points that one write dropped; exported as metrics after that write's commit. */
export class Rejections {
  readonly counts = new Map<RejectReason, number>();
  readonly #dropped = new Map<string, DroppedPoints>();

  /** @param subject undefined for an unknown tenant */
  add(reason: RejectReason, points = 1, subject?: Subject): void {
    if (points <= 0) return;
    this.counts.set(reason, (this.counts.get(reason) ?? 0) + points);
    const shown = SHOWN[reason];
    if (!shown || !subject) return;
    const key = `${subject.tenantId}/${shown}`;
    const before = this.#dropped.get(key)?.points ?? 0;
    this.#dropped.set(key, { ...subject, reason: shown, points: before + points });
  }

  /** Sorted by tenant and reason, so that concurrent writes lock rows in the same order. */
  dropped(): DroppedPoints[] {
    return [...this.#dropped].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
  }

  publish(): void {
    for (const [reason, points] of this.counts) rejected.add(points, { reason });
  }
}
