import { SET_ASIDE_REASONS, type SetAsideReason } from '@novacron/outbox/unpublishable';
import { counter } from '@novacron/telemetry/metrics';

const setAside = counter(
  'novacron_outbox_set_aside_total',
  'Events that could not be published: consumers fetch them by number',
  SET_ASIDE_REASONS.map((reason) => ({ reason })),
);

export function countSetAside(reason: SetAsideReason): void {
  setAside.add(1, { reason });
}
