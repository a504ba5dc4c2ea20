import type { L2 } from '@novacron/cache/l2';
import type { DomainEvent } from '@novacron/contracts/events';
import type { SharedMessage } from '@novacron/messaging/shared-consumer';
import { histogram, observableCounter, observableGauge } from '@novacron/telemetry/metrics';
import type { SharedLevel } from './tombstone-writer.js';
import type { Teller } from './invalidation-publisher.js';

const latency = histogram(
  'novacron_cache_invalidation_duration_seconds',
  'Until an event is broadcast to every L1: from the change itself, and from the stream that took it',
  [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60],
);

/** Call it when the event has been told. A repeated one says nothing about how fast it was. */
export function observeLatency({ at }: DomainEvent, { time, redelivered }: SharedMessage): void {
  if (redelivered) return;
  const now = Date.now();
  latency.record(Math.max(0, now - time.getTime()) / 1_000, { since: 'stream' });
  latency.record(Math.max(0, now - Date.parse(at)) / 1_000, { since: 'change' });
}

export function exportInvalidation(parts: {
  readonly teller: Teller;
  readonly shared: SharedLevel;
  readonly l2: L2;
  readonly oldestPendingMs: () => number;
}): void {
  const { teller, shared, l2 } = parts;
  observableCounter('novacron_cache_invalidations_total', 'Events told to all caches', (observe) =>
    observe(teller.events),
  );
  observableCounter(
    'novacron_cache_tombstones_total',
    'Tombstones and list generations written to the shared cache',
    (observe) => observe(shared.tombstones),
  );
  observableCounter(
    'novacron_cache_forgotten_tombstones_total',
    'Tombstones that the shared cache will never be told, as it was away for too long',
    (observe) => observe(shared.forgotten),
  );
  observableGauge(
    'novacron_cache_owed_tombstones',
    'Tombstones that wait for the shared cache to be back',
    (observe) => observe(shared.owed),
  );
  observableGauge('novacron_cache_l2_available', 'Whether the shared cache answers', (observe) =>
    observe(l2.available ? 1 : 0),
  );
  observableGauge(
    'novacron_cache_oldest_pending_invalidation_seconds',
    'Age of the oldest event known of that the caches were not told',
    (observe) => observe(parts.oldestPendingMs() / 1_000),
  );
}
