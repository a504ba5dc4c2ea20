import { dashboard, graph, quantile, rate, stat, table } from './build.mjs';

const QUERIES = 'database_query_duration_seconds';
const OURS = 'job=~"$job",instance=~"$instance"';

export const database = dashboard({
  uid: 'novacron-database',
  title: 'NovaCron database',
  description: 'Postgres as the services see it: queries, pools, replicas.',
  variables: {
    job: `label_values(${QUERIES}_count, job)`,
    instance: `label_values(${QUERIES}_count{job=~"$job"}, instance)`,
  },
  rows: {
    'At a glance': [
      stat('Queries', 'ops', rate(`${QUERIES}_count`, OURS)),
      stat('95th percentile', 's', quantile(0.95, QUERIES, OURS), { thresholds: { red: 0.05 } }),
      stat('Run for over 5 s', 'short', `sum(database_long_running_queries{${OURS}})`, {
        thresholds: { red: 1 },
      }),
      stat('Blocks from memory', 'percentunit', `min(database_cache_hit_ratio{${OURS}})`, {
        thresholds: { red: 0, orange: 0.95, green: 0.99 },
        max: 1,
      }),
      stat('Scans by index', 'percentunit', `min(database_index_usage_ratio{${OURS}})`, { max: 1 }),
      stat('Replicas that take reads', 'short', 'count(max by (server) (database_replica_healthy) == 1)'),
    ],
    Queries: [
      graph('Database performance', 's', {
        'average query time': `sum(rate(${QUERIES}_sum{${OURS}}[$__rate_interval])) / sum(rate(${QUERIES}_count{${OURS}}[$__rate_interval]))`,
        '95th percentile': quantile(0.95, QUERIES, OURS),
      }),
      graph('Active connections', 'short', {
        '{{pool}}': `sum by (pool) (database_active_connections{${OURS}})`,
      }),
      graph('95th percentile by service', 's', { '{{job}}': quantile(0.95, QUERIES, OURS, ['job']) }),
      graph('Queries by table', 'ops', {
        '{{query_type}} {{table}}': `topk(10, ${rate(`${QUERIES}_count`, OURS, ['query_type', 'table'])})`,
      }),
      graph('Time spent by table', 'percentunit', {
        '{{query_type}} {{table}}': `topk(10, ${rate(`${QUERIES}_sum`, OURS, ['query_type', 'table'])})`,
      }),
      graph('Slow (over 100 ms) and failed', 'ops', {
        'slow {{query_type}} {{table}}': rate('database_slow_queries_total', OURS, ['query_type', 'table']),
        'failed {{query_type}} {{table}}': rate('database_query_errors_total', OURS, ['query_type', 'table']),
      }),
      table('Tables', {
        'queries/s': ['ops', rate(`${QUERIES}_count`, OURS, ['table', 'query_type'])],
        p95: ['s', quantile(0.95, QUERIES, OURS, ['table', 'query_type'])],
      }),
    ],
    Connections: [
      graph('Pools', 'short', {
        'in use {{pool}}': `sum by (pool) (database_pool_in_use{${OURS}})`,
        'idle {{pool}}': `sum by (pool) (database_pool_idle{${OURS}})`,
        'most {{pool}}': `sum by (pool) (database_pool_max_connections{${OURS}})`,
      }),
      graph('Callers that wait', 'short', { '{{pool}}': `sum by (pool) (database_pool_waiting{${OURS}})` }),
      graph('Waiting time, 95th percentile', 's', {
        '{{pool}}': quantile(0.95, 'database_pool_wait_duration_seconds', OURS, ['pool']),
      }),
      graph('Connections in Postgres', 'short', {
        '{{job}} {{state}}': `max by (job, state) (database_connections{${OURS}})`,
      }),
    ],
    Replicas: [
      graph('Lag', 's', { '{{server}}': 'max by (server) (database_replication_lag_seconds)' }),
      graph(
        'Takes reads',
        'short',
        { '{{server}}': 'min by (server) (database_replica_healthy)' },
        { max: 1 },
      ),
      graph('Routed reads', 'ops', {
        '{{role}} {{server}}': rate('database_reads_total', OURS, ['role', 'server']),
      }),
    ],
  },
});
