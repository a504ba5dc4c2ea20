import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { DropReason } from '@novacron/contracts/metrics';
import type { Position } from '@novacron/contracts/position';
import type { Database, Statement, Transaction } from '@novacron/postgres/database';
import { from as copyFrom } from 'pg-copy-streams';
import { COPY_POINTS, encodeCopy } from './copy-binary.js';
import { keepLatest } from './latest.js';
import type { Series } from './series-buffer.js';

const COPY_TIMEOUT_MS = 35_000;

/** The advance of one partition's stream position by a write. */
export interface Advance {
  readonly partition: number;
  readonly fence: string;
  readonly streamGeneration: number;
  readonly from: number;
  readonly to: number;
  /** When JetStream stored the message at `to`, in milliseconds since 1970. */
  readonly messageAt: number;
}

/** The stored position is not where this process left it: another process owns the partition, or the write was done already. */
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
const DEAD_LETTER: Statement = {
  name: 'metrics_dead_letter',
  text: `INSERT INTO metrics.dead_letters (partition, generation, seq, source, stored_at, error, data)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
  table: 'dead_letters',
};
const DROPPED: Statement = {
  name: 'metrics_dropped',
  text: `INSERT INTO metrics.dropped AS d (tenant_id, hour, reason, points, last_at, vm_id, metric)
         SELECT tenant, $2::bigint - $2::bigint % 3600000, reason, points, $2::bigint, vm, metric
         FROM unnest($1::uuid[], $3::text[], $4::bigint[], $5::text[], $6::text[]) AS n (tenant, reason, points, vm, metric)
         ON CONFLICT (tenant_id, hour, reason) DO UPDATE SET points = d.points + excluded.points,
           last_at = excluded.last_at, vm_id = excluded.vm_id, metric = excluded.metric`,
  table: 'dropped',
};

/** Points of one tenant that one write dropped for one reason; the VM and the metric are the last point's. */
export interface DroppedPoints {
  readonly tenantId: string;
  readonly reason: DropReason;
  readonly points: number;
  readonly vmId: string;
  readonly metric: string;
}

/** A message that is kept whole instead of its points being stored, and the error that they met. */
export interface DeadLetter {
  readonly partition: number;
  readonly streamGeneration: number;
  readonly seq: number;
  readonly source: string;
  /** When JetStream stored it, in milliseconds since 1970. */
  readonly storedAt: number;
  readonly data: Uint8Array;
  readonly error: string;
}

/** The content of one transaction of the intake. */
export interface Write {
  readonly advances: readonly Advance[];
  /** Sorted by VM and metric, each in order of time. */
  readonly series: readonly Series[];
  readonly dropped: readonly DroppedPoints[];
  readonly deadLetter?: DeadLetter;
}

/**
 * Stores points and counts of dropped points together with the new stream positions, all or nothing. The positions go
 * first, so that a process that lost its partition fails before it copies points.
 * @param now milliseconds since 1970
 * @returns the position at or after the commit
 * @throws PositionMoved when a position is not at its `from` under this fence
 */
export async function writePoints(db: Database, write: Write, now = Date.now()): Promise<Position> {
  const { advances, series, dropped, deadLetter } = write;
  const { position } = await db.transaction({}, async (tx) => {
    await advance(tx, advances, series);
    if (series.length > 0) {
      await copy(tx, series);
      await keepLatest(tx, series, now);
    }
    if (deadLetter) await tx.query(DEAD_LETTER, deadLetterColumns(deadLetter));
    // Last, because writers of other processes wait for these rows.
    if (dropped.length > 0) await tx.query(DROPPED, droppedColumns(dropped, now));
  });
  return position;
}

function deadLetterColumns(letter: DeadLetter): unknown[] {
  const { partition, streamGeneration, seq, source, storedAt, error, data } = letter;
  return [partition, streamGeneration, seq, source, storedAt, error, Buffer.from(data)];
}

function droppedColumns(dropped: readonly DroppedPoints[], now: number): unknown[] {
  const column = <K extends keyof DroppedPoints>(key: K) => dropped.map((one) => one[key]);
  return [column('tenantId'), now, column('reason'), column('points'), column('vmId'), column('metric')];
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
    column('streamGeneration'),
    column('from'),
    column('to'),
    column('messageAt'),
    // Only the sum over all partitions is read.
    advances.map((_, i) => (i === 0 ? rows : 0)),
  ]);
  if (rowCount !== advances.length) {
    throw new PositionMoved(
      `${advances.length - rowCount} of ${advances.length} partitions are no longer owned by this process`,
    );
  }
}

async function copy(tx: Transaction, series: readonly Series[]): Promise<void> {
  const client = await tx.client();
  const target = client.query(copyFrom(COPY_POINTS));
  // The statement timeout has no effect when the server is gone.
  const signal = AbortSignal.timeout(COPY_TIMEOUT_MS);
  await pipeline(Readable.from(encodeCopy(series), { objectMode: true, highWaterMark: 2 }), target, {
    signal,
  });
}
