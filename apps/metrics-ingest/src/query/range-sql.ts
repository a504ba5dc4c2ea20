import type { Aggregation } from '@novacron/contracts/metrics';
import type { Statement } from '@novacron/postgres/database';
import { pointsOf } from '../store/points.js';

/*
 * $1 VM, $2 metric ids, $3 from, $4 to, $5 step, all times in milliseconds; for a rate $6 the time from which points
 * are read. The statements are unnamed: a generic plan, made without the times, would open every partition.
 */
const buckets = (value: string) =>
  `SELECT metric_id AS metric, ((ts - $3::bigint) / $5::bigint)::int AS bucket, ${value} AS value
   FROM (${pointsOf('$3::bigint', '$4::bigint')}) AS points GROUP BY 1, 2`;

/** The value as an unbounded number. It is cast through text, since a direct cast rounds to 15 digits. */
const EXACT = 'value::text::numeric';

/**
 * The increase over the elapsed time between neighbouring points, each pair in the bucket of its later point. A counter
 * that decreased was reset to 0, so its whole value is increase.
 */
const rate = (value: string) => `SELECT metric_id AS metric, ((ts - $3::bigint) / $5::bigint)::int AS bucket,
    sum(CASE WHEN value >= before THEN value - before ELSE value END) * 1000 / sum(ts - ts_before) AS value
  FROM (SELECT metric_id, ts, ${value} AS value, lag(${value}) OVER w AS before, lag(ts) OVER w AS ts_before
        FROM (${pointsOf('$6::bigint', '$4::bigint')}) AS points
        WINDOW w AS (PARTITION BY metric_id ORDER BY ts)) AS pairs
  WHERE ts >= $3::bigint AND before IS NOT NULL GROUP BY 1, 2`;

const asText = (text: string) => `SELECT metric, bucket, value::text AS value FROM (${text}) AS rates`;

const statement = (text: string): Statement => ({ text, table: 'points' });

/**
 * Precedes a range in its transaction. The planner ignores the BRIN index, since it assumes that one VM's rows are
 * everywhere, although they are together in each write. The index leaves few blocks, too few for parallel workers.
 */
export const BY_INDEX: Statement = {
  name: 'metrics_by_index',
  text: "SELECT set_config('enable_seqscan', 'off', true), set_config('max_parallel_workers_per_gather', '0', true)",
  table: 'points',
};

/** One row for each bucket that has points: `{metric, bucket, value}`. */
export const RANGE: Readonly<Record<Aggregation, Statement>> = {
  avg: statement(buckets('avg(value)')),
  min: statement(buckets('min(value)')),
  max: statement(buckets('max(value)')),
  sum: statement(buckets('sum(value)')),
  last: statement(buckets('(array_agg(value ORDER BY ts DESC))[1]')),
  rate: statement(rate('value')),
};

/**
 * For ranges whose arithmetic exceeds a double (SQLSTATE 22003), although every value is a double: exact, about ten
 * times slower, with values as text. Aggregations that only pick a value cannot fail.
 */
export const EXACT_RANGE: Readonly<Record<'avg' | 'sum' | 'rate', Statement>> = {
  avg: statement(buckets(`avg(${EXACT})::text`)),
  sum: statement(buckets(`sum(${EXACT})::text`)),
  rate: statement(asText(rate(EXACT))),
};

/** Whether the tenant has the VM. */
export const KNOWN_VM: Statement = {
  name: 'metrics_known_vm',
  text: 'SELECT 1 AS known FROM metrics.vms WHERE vm_id = $1::uuid',
};
export const NUMBERS: Statement = {
  name: 'metrics_numbers',
  text: 'SELECT name, metric_id AS id FROM metrics.names WHERE name = ANY ($1::text[])',
};
