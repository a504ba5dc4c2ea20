import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Position } from '@novacron/contracts/position';
import type { Database, Statement, Transaction } from '@novacron/postgres/database';
import { from as copyFrom } from 'pg-copy-streams';
import { COPY_POINTS, encodeCopy, positionOf } from './copy-binary.js';
import type { Series } from './series-buffer.js';

const COPY_TIMEOUT_MS = 35_000;

/** How far one partition of the intake gets with a write. */
export interface Advance {
  readonly partition: number;
  readonly fence: string;
  readonly generation: number;
  readonly from: number;
  readonly to: number;
  /** When JetStream stored the message at `to`, in milliseconds since 1970. */
  readonly messageAt: number;
}

/** The stored position is not where this process left it: someone else owns the partition, or wrote this already. */
export class PositionMoved extends Error {
  override readonly name = 'PositionMoved';
}

const ADVANCE: Statement = {
  name: 'metrics_advance',
  text: `UPDATE metrics.intake i SET seq = n.seq, message_at = n.message_at, rows = i.rows + n.rows
         FROM unnest($1::smallint[], $2::bigint[], $3::int[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
           AS n (partition, fence, generation, before, seq, message_at, rows)
         WHERE i.partition = n.partition AND i.fence = n.fence AND i.generation = n.generation AND i.seq = n.before`,
};
const LATEST: Statement = {
  name: 'metrics_latest',
  text: `INSERT INTO metrics.latest AS l (tenant_id, vm_id, metric_id, ts, value, pos)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::bigint[], $5::float8[], $6::bigint[])
         ON CONFLICT (tenant_id, vm_id, metric_id) DO UPDATE SET ts = excluded.ts, value = excluded.value, pos = excluded.pos
         WHERE (excluded.ts, excluded.pos) >= (l.ts, l.pos)`,
};

/**
 * Stores points together with the positions that they bring the intake to: both or neither. The positions go
 * first, so that a process that lost its partition fails before it copies anything.
 * @returns the position at or after the commit
 * @throws PositionMoved when a position is not at its `from` under this fence
 */
export async function writePoints(
  db: Database,
  advances: readonly Advance[],
  series: readonly Series[],
): Promise<Position> {
  const { position } = await db.transaction({}, async (tx) => {
    await advance(tx, advances, series);
    if (series.length === 0) return;
    await copy(tx, series);
    await tx.query(LATEST, latestColumns(series));
  });
  return position;
}

async function advance(
  tx: Transaction,
  advances: readonly Advance[],
  series: readonly Series[],
): Promise<void> {
  const rows = series.reduce((sum, { times }) => sum + times.length, 0);
  const column = <K extends keyof Advance>(key: K) => advances.map((one) => one[key]);
  const { rowCount } = await tx.query(ADVANCE, [
    column('partition'),
    column('fence'),
    column('generation'),
    column('from'),
    column('to'),
    column('messageAt'),
    // Only the sum over all partitions is ever read.
    advances.map((_, i) => (i === 0 ? rows : 0)),
  ]);
  if (rowCount !== advances.length) {
    throw new PositionMoved(
      `${advances.length - rowCount} of ${advances.length} partitions are not ours any more`,
    );
  }
}

async function copy(tx: Transaction, series: readonly Series[]): Promise<void> {
  const client = await tx.client();
  const target = client.query(copyFrom(COPY_POINTS));
  // The server's statement timeout does not help against a server that is gone.
  const signal = AbortSignal.timeout(COPY_TIMEOUT_MS);
  await pipeline(Readable.from(encodeCopy(series), { objectMode: true, highWaterMark: 2 }), target, {
    signal,
  });
}

function latestColumns(series: readonly Series[]): unknown[] {
  const last = <T>(column: readonly T[]) => column[column.length - 1] as T;
  return [
    series.map((s) => s.tenantId),
    series.map((s) => s.vmId),
    series.map((s) => s.metricId),
    series.map((s) => last(s.times)),
    series.map((s) => last(s.values)),
    series.map((s) => positionOf(last(s.generations), last(s.seqs))),
  ];
}
