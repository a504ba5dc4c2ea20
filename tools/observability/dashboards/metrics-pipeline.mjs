import { dashboard, graph, quantile, rate, stat } from './build.mjs';

const AGENTS = 'job="host-agent"';
const INGEST = 'job="metrics-ingest",instance=~"$instance"';

export const metricsPipeline = dashboard({
  uid: 'novacron-metrics-pipeline',
  title: 'NovaCron metrics pipeline',
  description: 'From the agents by JetStream into the store.',
  variables: { instance: 'label_values(novacron_metrics_partitions_owned{job="metrics-ingest"}, instance)' },
  rows: {
    'At a glance': [
      stat('Lag', 's', 'max(novacron_metrics_intake_lag_seconds)', { thresholds: { orange: 10, red: 60 } }),
      stat('Messages to read', 'short', 'max(novacron_metrics_intake_pending_messages)'),
      stat('Partitions that are read', 'short', 'sum(novacron_metrics_partitions_owned)', {
        thresholds: { red: 0, green: 16 },
        max: 16,
      }),
      stat('Points stored', 'ops', rate('novacron_metrics_stored_points_total', INGEST)),
      stat('Points rejected', 'ops', rate('novacron_metrics_rejected_points_total', INGEST), {
        thresholds: { orange: 1 },
      }),
      stat('Points lost by agents', 'ops', rate('novacron_agent_metric_points_dropped_total', AGENTS), {
        thresholds: { red: 0.001 },
      }),
    ],
    'In and out': [
      graph('Points', 'ops', {
        'agents sent': rate('novacron_agent_metric_points_total', AGENTS),
        stored: rate('novacron_metrics_stored_points_total', INGEST),
        'agents dropped': rate('novacron_agent_metric_points_dropped_total', AGENTS),
      }),
      graph('Messages stored', 'ops', {
        '{{instance}}': rate('novacron_metrics_stored_messages_total', INGEST, ['instance']),
      }),
      graph('Rows of all ingesters, mean of a minute', 'ops', {
        rows: 'max(novacron_metrics_rows_per_second)',
      }),
      graph('Rejected, by reason', 'ops', {
        '{{reason}}': rate('novacron_metrics_rejected_points_total', INGEST, ['reason']),
      }),
    ],
    Intake: [
      graph('Lag: age of the oldest message not written', 's', {
        '{{instance}}': `novacron_metrics_intake_lag_seconds{${INGEST}}`,
      }),
      graph('Messages of the stream to read', 'short', {
        '{{instance}}': `novacron_metrics_intake_pending_messages{${INGEST}}`,
      }),
      graph('Read and not written', 'bytes', {
        '{{instance}}': `novacron_metrics_intake_buffered_bytes{${INGEST}}`,
      }),
      graph(
        'Partitions',
        'short',
        { '{{instance}}': `novacron_metrics_partitions_owned{${INGEST}}` },
        { max: 16 },
      ),
      graph('A write, from taking to commit', 's', {
        '95th percentile': quantile(0.95, 'novacron_metrics_write_duration_seconds', INGEST),
        '50th percentile': quantile(0.5, 'novacron_metrics_write_duration_seconds', INGEST),
      }),
      graph('Other consumers of streams: messages to get', 'short', {
        '{{stream}} {{consumer}}': 'max by (stream, consumer) (novacron_consumer_pending)',
      }),
      graph('Other consumers of streams: outcome', 'ops', {
        '{{stream}} {{consumer}} {{outcome}}':
          'sum by (stream, consumer, outcome) (rate(novacron_consumer_messages_total[$__rate_interval]))',
      }),
    ],
  },
});
