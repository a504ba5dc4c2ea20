import type { Database, Statement, Transaction } from '@novacron/postgres/database';
import { positionOf } from './copy-binary.js';
import type { Series } from './series-buffer.js';

/** A point this far ahead of the clock counts as present, since clocks of hosts differ by less. */
export const PRESENT_MS = 5_000;

/** Keeps the newest point of a series that is not in the future. Any present point replaces a future one. */
const KEEP = `ON CONFLICT (tenant_id, vm_id, metric_id) DO UPDATE SET ts = excluded.ts, value = excluded.value, pos = excluded.pos`;
const LATEST: Statement = {
  name: 'metrics_latest',
  text: `INSERT INTO metrics.latest AS l (tenant_id, vm_id, metric_id, ts, value, pos)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::bigint[], $5::float8[], $6::bigint[])
         ${KEEP} WHERE (excluded.ts, excluded.pos) >= (l.ts, l.pos) OR l.ts > $7::bigint`,
};
const AHEAD: Statement = {
  name: 'metrics_ahead',
  text: `INSERT INTO metrics.ahead AS a (tenant_id, vm_id, metric_id, ts, value, pos)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::bigint[], $5::float8[], $6::bigint[])
         ${KEEP} WHERE (excluded.ts, excluded.pos) >= (a.ts, a.pos)`,
  table: 'ahead',
};
/** Locks rows in the same order as the ingester. */
const ARRIVED: Statement = {
  name: 'metrics_arrived',
  text: `WITH due AS (
           SELECT tenant_id, vm_id, metric_id FROM metrics.ahead WHERE ts <= $1::bigint
           ORDER BY vm_id, metric_id LIMIT 5000 FOR UPDATE SKIP LOCKED),
         arrived AS (
           DELETE FROM metrics.ahead a USING due
           WHERE a.tenant_id = due.tenant_id AND a.vm_id = due.vm_id AND a.metric_id = due.metric_id RETURNING a.*)
         INSERT INTO metrics.latest AS l (tenant_id, vm_id, metric_id, ts, value, pos)
         SELECT tenant_id, vm_id, metric_id, ts, value, pos FROM arrived ORDER BY vm_id, metric_id
         ${KEEP} WHERE (excluded.ts, excluded.pos) >= (l.ts, l.pos) OR l.ts > $2::bigint`,
  table: 'ahead',
};

/**
 * Keeps the newest point of each series for reads of the latest values: `latest` has the newest present point, `ahead`
 * the newest future point, which reads ignore until its time has come.
 * @param now milliseconds since 1970
 */
export async function keepLatest(tx: Transaction, series: readonly Series[], now: number): Promise<void> {
  const present = now + PRESENT_MS;
  const ahead = series.filter(({ times }) => (times.at(-1) ?? 0) > present);
  const others = ahead.length === 0 ? series : series.filter(({ times }) => (times[0] ?? present) <= present);
  if (ahead.length > 0) await tx.query(AHEAD, columns(ahead, Infinity));
  if (others.length > 0) await tx.query(LATEST, [...columns(others, present), present]);
}

/** Moves future points whose time has come to `latest`. Safe to repeat, and to run in several processes. */
export async function moveArrived(db: Database, now = Date.now()): Promise<void> {
  await db.primary.batch({}, [{ statement: ARRIVED, params: [now, now + PRESENT_MS] }]);
}

/** The newest point of each series up to `until`; every series has one. */
function columns(series: readonly Series[], until: number): unknown[] {
  const newest = series.map(({ times }) => {
    let at = times.length - 1;
    while ((times[at] as number) > until) at--;
    return at;
  });
  const pick = <T>(column: (one: Series, at: number) => T) =>
    series.map((one, i) => column(one, newest[i] as number));
  return [
    pick((s) => s.tenantId),
    pick((s) => s.vmId),
    pick((s) => s.metricId),
    pick((s, at) => s.times[at]),
    pick((s, at) => s.values[at]),
    pick((s, at) => positionOf(s.streamGenerations[at] as number, s.seqs[at] as number)),
  ];
}
