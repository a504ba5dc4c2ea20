import { observableGauge } from '@novacron/telemetry/metrics';
import type { Ingester } from './ingester.js';

/** Exports lag, buffer and partitions of this process. */
export function exportIngester(ingester: Ingester): void {
  observableGauge(
    'novacron_metrics_intake_lag_seconds',
    'Since JetStream stored the oldest message that is read and not yet written',
    (observe) => observe(ingester.lagMs / 1_000),
  );
  observableGauge('novacron_metrics_intake_buffered_bytes', 'Messages read and not yet written', (observe) =>
    observe(ingester.bufferedBytes),
  );
  observableGauge(
    'novacron_metrics_partitions_owned',
    'Partitions of the intake that this process reads',
    (observe) => observe(ingester.owned.size),
  );
  observableGauge(
    'novacron_metrics_intake_pending_messages',
    'Messages of the stream, of all partitions, behind the last one that this process read',
    (observe) => observe(ingester.pending),
  );
}
