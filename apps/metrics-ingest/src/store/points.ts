/**
 * The seam between how points are kept and how they are asked for: a relation `(metric_id, ts, value)` of one
 * VM's stored points, each time once, of two points at one time the one with the higher position. Parameters:
 * $1 the VM, $2 the metrics' numbers, and the times `from` (included) and `to` (not), in milliseconds, under the
 * names given. Row-level security adds the tenant.
 *
 * Sealed chunks join here, and nothing above this needs to know.
 */
export function pointsOf(from: string, to: string): string {
  return `SELECT DISTINCT ON (metric_id, ts) metric_id, ts, value FROM metrics.points
    WHERE vm_id = $1::uuid AND metric_id = ANY ($2::int[]) AND ts >= ${from} AND ts < ${to}
    ORDER BY metric_id, ts, pos DESC`;
}
