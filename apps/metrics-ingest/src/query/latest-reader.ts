import type { Call, Statement } from '@novacron/postgres/database';
import { BUILT_IN_IDS } from '../store/metric-names.js';

/** For a series with a future point the newest present point is searched this far back. */
const LOOK_BACK_MS = 3_600_000;

/** The newest present and the newest future point of each series of a VM, if any, in pages of series. */
const NEWEST: Statement = {
  name: 'metrics_latest_read',
  text: `WITH newest AS (
           SELECT metric_id, value, ts FROM metrics.latest WHERE vm_id = $1::uuid AND metric_id > $2
           UNION ALL SELECT metric_id, value, ts FROM metrics.ahead WHERE vm_id = $1::uuid AND metric_id > $2),
         page AS (SELECT DISTINCT metric_id FROM newest ORDER BY metric_id LIMIT $3)
         SELECT metric_id AS id, n.name, value, ts::float8 AS timestamp FROM newest JOIN page USING (metric_id)
         LEFT JOIN metrics.names n USING (metric_id) ORDER BY metric_id, ts`,
  table: 'latest',
};
/** Unnamed: a generic plan, made without the times, would open every partition. */
const STORED: Statement = {
  text: `SELECT DISTINCT ON (metric_id) metric_id AS id, value, ts::float8 AS timestamp FROM metrics.points
         WHERE vm_id = $1::uuid AND metric_id = ANY ($2::int[]) AND ts > $3::bigint AND ts <= $4::bigint
         ORDER BY metric_id, ts DESC, pos DESC`,
  table: 'points',
};

export interface NewestRow {
  readonly id: number;
  readonly name: string | null;
  readonly value: number;
  readonly timestamp: number;
}

const builtInNames = new Map(Object.entries(BUILT_IN_IDS).map(([name, id]) => [id, name]));

/** @param after only series with higher ids */
export function newestOf(vmId: string, after: number, limit: number): Call {
  return { statement: NEWEST, params: [vmId, after, limit] };
}

/** The rows of the first `limit` series, and the last one's id when there are more. */
export function pageOf(
  rows: readonly NewestRow[],
  limit: number,
): { rows: readonly NewestRow[]; nextId: number | undefined } {
  const ids = [...new Set(rows.map(({ id }) => id))];
  const nextId = ids.length > limit ? (ids[limit - 1] as number) : undefined;
  return { rows: nextId === undefined ? rows : rows.filter(({ id }) => id <= nextId), nextId };
}

/** The newest stored points of these series that are not in the future. */
export function storedOf(vmId: string, ids: readonly number[], present: number): Call {
  return { statement: STORED, params: [vmId, ids, present - LOOK_BACK_MS, present] };
}

/** Series with future points. Their newest present point may exist in `points` only. */
export function idsAhead(rows: readonly NewestRow[], present: number): number[] {
  return [...new Set(rows.filter(({ timestamp }) => timestamp > present).map(({ id }) => id))];
}

/** Name → newest value that is not in the future. Every legal name is a plain key, also `__proto__`. */
export function latestValues(
  rows: readonly NewestRow[],
  stored: readonly Omit<NewestRow, 'name'>[],
  present: number,
): Record<string, { value: number; timestamp: number }> {
  const names = new Map(rows.map(({ id, name }) => [id, builtInNames.get(id) ?? name]));
  const newest = new Map<string, { value: number; timestamp: number }>();
  for (const { id, value, timestamp } of [...rows, ...stored]) {
    const name = names.get(id);
    if (name === undefined || name === null || timestamp > present) continue;
    if ((newest.get(name)?.timestamp ?? -Infinity) <= timestamp) newest.set(name, { value, timestamp });
  }
  return Object.fromEntries(newest);
}
