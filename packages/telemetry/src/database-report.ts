import { dbReport, type DbReportDiagnostic } from './diagnostics.js';
import { observableCounter, observableGauge } from './metrics.js';

/** Shows the last report of the query monitor as metrics. */
export function showDatabaseReports(): void {
  let last: DbReportDiagnostic | undefined;
  dbReport.subscribe((report) => (last = report));
  const single = (name: string, help: string, read: (report: DbReportDiagnostic) => number | null) =>
    observableGauge(name, help, (observe) => {
      const value = last === undefined ? null : read(last);
      if (value !== null) observe(value);
    });
  single(
    'database_cache_hit_ratio',
    'Share of block reads that Postgres served from its memory',
    (r) => r.hitRatio,
  );
  single(
    'database_index_usage_ratio',
    "Share of this service's table scans that used an index",
    (r) => r.indexRatio,
  );
  observableGauge('database_connections', "This service's connections in Postgres, by state", (observe) => {
    for (const [state, count] of Object.entries(last?.connections ?? {})) observe(count, { state });
  });
  observableGauge(
    'database_replication_lag_seconds',
    'How far a replica lags behind the primary',
    (observe) => {
      for (const { server, role, lagMs } of last?.servers ?? [])
        if (role === 'replica') observe(lagMs / 1000, { server });
    },
  );
  observableGauge('database_replica_healthy', '1 while a replica takes reads', (observe) => {
    for (const { server, role, healthy } of last?.servers ?? [])
      if (role === 'replica') observe(healthy ? 1 : 0, { server });
  });
  observableCounter('database_reads_total', 'Routed reads, by the server that answered', (observe) => {
    for (const { server, role, reads } of last?.servers ?? []) observe(reads, { server, role });
  });
}
