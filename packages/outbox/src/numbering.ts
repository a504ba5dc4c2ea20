import { formatPosition } from '@novacron/contracts/position';
import type { PinnedConnection, Result, Statement } from '@novacron/postgres/database';
import { COLUMNS, type StoredEvent } from './stored-event.js';
import type { SetAsideReason } from './unpublishable.js';

/** Events numbered in one transaction. */
export const BATCH_SIZE = 500;
const BATCH_TIMEOUT_MS = 10_000;
const PURGE_SIZE = 5_000;

const TRY_LOCK: Statement = {
  name: 'outbox_lock',
  text: "SELECT pg_try_advisory_lock(hashtextextended('novacron:relay:' || current_schema(), 0)) AS leads",
  table: 'none',
};
const COUNTER: Statement = { name: 'outbox_counter', text: 'SELECT seq, published FROM outbox_counter' };

/**
 * Takes the committed events without a seq, in the order of `n`, gives each the next seq under the lock of the counter's
 * row, and records the published seq. The flush position is read after the snapshot that sees the rows, so it is at or
 * after their commits. Without events and progress it writes nothing.
 */
const NUMBER_BATCH: Statement = {
  name: 'outbox_number_batch',
  text: `WITH taken AS (
           DELETE FROM outbox_pending
            WHERE ctid = ANY (ARRAY(SELECT ctid FROM outbox_pending ORDER BY n LIMIT ${BATCH_SIZE}))
           RETURNING *
         ), amount AS MATERIALIZED (
           SELECT count(*) AS taken, $1 || (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::text AS position FROM taken
         ), counter AS (
           UPDATE outbox_counter
              SET seq = seq + amount.taken, published = greatest(published, $2::bigint)
             FROM amount
            WHERE amount.taken > 0 OR published < $2::bigint
           RETURNING seq - amount.taken AS before
         )
         INSERT INTO outbox (tenant_id, seq, id, position, kind, resource_id, type, version, at, data)
         SELECT t.tenant_id, c.before + row_number() OVER (ORDER BY t.n), t.id, a.position,
                t.kind, t.resource_id, t.type, t.version, t.at, t.data
           FROM taken t, amount a, counter c
         RETURNING ${COLUMNS}`,
  table: 'outbox',
};
/**
 * Replaces positions of another cluster, in a database that was restored from a dump: every restored event is at or
 * before the present of this one. Events that are published already stay as they are.
 */
const ADOPT: Statement = {
  name: 'outbox_adopt',
  text: `UPDATE outbox SET position = $1 || (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::text
          WHERE seq > (SELECT published FROM outbox_counter) AND NOT starts_with(position, $2)`,
};
const AFTER: Statement = {
  name: 'outbox_after',
  text: `SELECT ${COLUMNS} FROM outbox WHERE seq > $1 ORDER BY seq LIMIT ${BATCH_SIZE}`,
};
const SET_ASIDE: Statement = {
  name: 'outbox_set_aside',
  text: 'INSERT INTO outbox_set_aside (seq, reason) VALUES ($1, $2) ON CONFLICT DO NOTHING',
  table: 'outbox_set_aside',
};
const PURGE_SET_ASIDE: Statement = {
  name: 'outbox_purge_set_aside',
  text: `DELETE FROM outbox_set_aside WHERE at < now() - make_interval(secs => $1::float8 / 1000)`,
  table: 'outbox_set_aside',
};
const PURGE: Statement = {
  name: 'outbox_purge',
  text: `DELETE FROM outbox
          WHERE seq IN (SELECT seq FROM outbox WHERE seq <= $1 ORDER BY seq LIMIT ${PURGE_SIZE})
            AND at < now() - make_interval(secs => $2::float8 / 1000)`,
};

export interface NumberedBatch {
  readonly events: StoredEvent[];
  /**
   * The position up to which every commit was visible to the batch, as text. When the batch left no event behind, the
   * event of every commit up to this position has a seq.
   */
  readonly visibleUpTo: string;
  readonly leftNothing: boolean;
}

/** The relay's work in Postgres, on a connection that holds the service's relay lock. */
export class Numbering {
  readonly #lineage: string;

  constructor(private readonly connection: PinnedConnection) {
    this.#lineage = formatPosition({ ...connection.lineage, lsn: 0n }).replace(/0$/, '');
  }

  get alive(): boolean {
    return this.connection.alive();
  }

  /** True when this process is the relay, until the connection ends. */
  async tryLead(): Promise<boolean> {
    const [answer] = await this.connection.run([{ statement: TRY_LOCK }], BATCH_TIMEOUT_MS);
    return answer?.rows[0]?.leads === true;
  }

  /** The counter of its predecessor. Unpublished events get positions of this database. */
  async begin(): Promise<{ seq: number; published: number }> {
    const adopt = { statement: ADOPT, params: [this.#lineage, `${this.connection.lineage.systemId}.`] };
    const [, answer] = await this.connection.run([adopt, { statement: COUNTER }], BATCH_TIMEOUT_MS);
    return answer?.rows[0] as { seq: number; published: number };
  }

  /** Numbers the waiting events, in one round trip and one transaction, and records `published`. */
  async numberBatch(published: number): Promise<NumberedBatch> {
    const number = { statement: NUMBER_BATCH, params: [this.#lineage, published] };
    const { results, visibleUpTo } = await this.connection.runAfterProbe([number], BATCH_TIMEOUT_MS);
    const events = rowsOf(results[0]).sort((a, b) => a.seq - b.seq);
    return { events, visibleUpTo: formatPosition(visibleUpTo), leftNothing: events.length < BATCH_SIZE };
  }

  /** Numbered events after `seq`, at most {@link BATCH_SIZE}. */
  async after(seq: number): Promise<StoredEvent[]> {
    const [found] = await this.connection.run([{ statement: AFTER, params: [seq] }], BATCH_TIMEOUT_MS);
    return rowsOf(found);
  }

  /** Records that this event is not in the stream and never will be; safe to repeat. */
  async setAside(seq: number, reason: SetAsideReason): Promise<void> {
    await this.connection.run([{ statement: SET_ASIDE, params: [seq, reason] }], BATCH_TIMEOUT_MS);
  }

  /** Deletes some published events older than that. @returns true when there may be more */
  async purge(published: number, olderThanMs: number): Promise<boolean> {
    const [gone] = await this.connection.run([
      { statement: PURGE, params: [published, olderThanMs] },
      { statement: PURGE_SET_ASIDE, params: [olderThanMs] },
    ]);
    return gone?.rowCount === PURGE_SIZE;
  }

  end(): void {
    this.connection.end();
  }
}

function rowsOf(result: Result<Record<string, unknown>> | undefined): StoredEvent[] {
  return (result?.rows ?? []) as unknown as StoredEvent[];
}
