import type { DomainEvent } from '@novacron/contracts/events';
import type { SharedMessage } from '@novacron/messaging/shared-consumer';
import { histogram, observableCounter, observableGauge } from '@novacron/telemetry/metrics';
import type { InvalidationStatus } from './invalidation-status.js';

const latency = histogram(
  'novacron_cache_invalidation_duration_seconds',
  'Until an event is broadcast to every L1: from the change itself, and from the stream that took it',
  [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60],
);

/** Records the latency of a published event. A redelivered one says nothing about the latency. */
export function observeLatency({ at }: DomainEvent, { time, redelivered }: SharedMessage): void {
  if (redelivered) return;
  const now = Date.now();
  latency.record(Math.max(0, now - time.getTime()) / 1_000, { since: 'stream' });
  latency.record(Math.max(0, now - Date.parse(at)) / 1_000, { since: 'change' });
}

export function exportInvalidation(status: InvalidationStatus): void {
  observableCounter('novacron_cache_invalidations_total', 'Events told to all caches', (observe) =>
    observe(status.counts().events),
  );
  observableCounter(
    'novacron_cache_tombstones_total',
    'Tombstones and list generations written to the shared cache',
    (observe) => observe(status.counts().tombstones),
  );
  observableCounter(
    'novacron_cache_forgotten_tombstones_total',
    'Tombstones that the shared cache will never be told, as it was away for too long',
    (observe) => observe(status.counts().forgotten),
  );
  observableGauge(
    'novacron_cache_owed_tombstones',
    'Tombstones that wait for the shared cache to be back',
    (observe) => observe(status.counts().owed),
  );
  observableGauge('novacron_cache_l2_available', 'Whether the shared cache answers', (observe) =>
    observe(status.l2Available ? 1 : 0),
  );
  observableGauge(
    'novacron_cache_oldest_pending_invalidation_seconds',
    'Age of the oldest event known of that the caches were not told',
    (observe) => observe(status.oldestPendingMs / 1_000),
  );
}
