/**
 * The interface between storage and queries: a relation `(metric_id, ts, value)` of one VM's stored points, each time
 * once. Of two points at one time the one with the higher position counts. Parameters: $1 the VM, $2 the metrics' ids,
 * and the times `from` (included) and `to` (excluded), in milliseconds, under the given names. Row-level security adds
 * the tenant.
 *
 * Sealed chunks will join here without a change of the queries.
 */
export function pointsOf(from: string, to: string): string {
  return `SELECT DISTINCT ON (metric_id, ts) metric_id, ts, value FROM metrics.points
    WHERE vm_id = $1::uuid AND metric_id = ANY ($2::int[]) AND ts >= ${from} AND ts < ${to}
    ORDER BY metric_id, ts, pos DESC`;
}
