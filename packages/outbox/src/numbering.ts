import { formatPosition } from '@novacron/contracts/position';
import type { Held, Result, Statement } from '@novacron/postgres/database';
import { COLUMNS, type StoredEvent } from './stored-event.js';
import type { SetAsideReason } from './unpublishable.js';

/** Events numbered in one transaction. */
export const CLAIM_SIZE = 500;
const CLAIM_TIMEOUT_MS = 10_000;
const PURGE_SIZE = 5_000;

const TRY_LOCK: Statement = {
  name: 'outbox_lock',
  text: "SELECT pg_try_advisory_lock(hashtextextended('novacron:relay:' || current_schema(), 0)) AS leads",
  table: 'none',
};
const COUNTER: Statement = { name: 'outbox_counter', text: 'SELECT seq, published FROM outbox_counter' };

/**
 * Takes what is committed and has no number, in the order of `n`; gives each the next number under the lock
 * of the counter's row; and writes down how far was published. The flush position is read after the snapshot
 * that sees the rows, so it is at or after their commits. With nothing to do it writes nothing.
 */
const CLAIM: Statement = {
  name: 'outbox_claim',
  text: `WITH taken AS (
           DELETE FROM outbox_pending
            WHERE ctid = ANY (ARRAY(SELECT ctid FROM outbox_pending ORDER BY n LIMIT ${CLAIM_SIZE}))
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
 * Positions of another cluster, in a database that was restored from a dump: everything restored is at or before
 * the present of this one. Of what was published already nobody asks again.
 */
const ADOPT: Statement = {
  name: 'outbox_adopt',
  text: `UPDATE outbox SET position = $1 || (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::text
          WHERE seq > (SELECT published FROM outbox_counter) AND NOT starts_with(position, $2)`,
};
const AFTER: Statement = {
  name: 'outbox_after',
  text: `SELECT ${COLUMNS} FROM outbox WHERE seq > $1 ORDER BY seq LIMIT ${CLAIM_SIZE}`,
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

export interface Claim {
  readonly events: StoredEvent[];
  /**
   * A position up to which every commit was visible to the claim, as text. When the claim left nothing behind,
   * the event of every commit that a token up to it can have seen has a number.
   */
  readonly before: string;
  readonly leftNothing: boolean;
}

/** The relay's work in Postgres, on a connection that holds the service's relay lock. */
export class Numbering {
  readonly #history: string;

  constructor(private readonly held: Held) {
    this.#history = formatPosition({ ...held.history, lsn: 0n }).replace(/0$/, '');
  }

  get alive(): boolean {
    return this.held.alive();
  }

  /** True when this process is the one that relays, until the connection ends. */
  async tryLead(): Promise<boolean> {
    const [answer] = await this.held.run([{ statement: TRY_LOCK }], CLAIM_TIMEOUT_MS);
    return answer?.rows[0]?.leads === true;
  }

  /** How far its predecessor came; what that left unpublished is of this database's history from now on. */
  async begin(): Promise<{ seq: number; published: number }> {
    const adopt = { statement: ADOPT, params: [this.#history, `${this.held.history.systemId}.`] };
    const [, answer] = await this.held.run([adopt, { statement: COUNTER }], CLAIM_TIMEOUT_MS);
    return answer?.rows[0] as { seq: number; published: number };
  }

  /** Numbers what is waiting, in one round trip and one transaction, and notes that `published` was reached. */
  async claim(published: number): Promise<Claim> {
    const claim = { statement: CLAIM, params: [this.#history, published] };
    const { results, settled } = await this.held.runAfterLook([claim], CLAIM_TIMEOUT_MS);
    const events = rowsOf(results[0]).sort((a, b) => a.seq - b.seq);
    return { events, before: formatPosition(settled), leftNothing: events.length < CLAIM_SIZE };
  }

  /** Numbered events after `seq`, at most {@link CLAIM_SIZE}. */
  async after(seq: number): Promise<StoredEvent[]> {
    const [found] = await this.held.run([{ statement: AFTER, params: [seq] }], CLAIM_TIMEOUT_MS);
    return rowsOf(found);
  }

  /** Notes that this event is not in the stream and never will be; safe to repeat. */
  async setAside(seq: number, reason: SetAsideReason): Promise<void> {
    await this.held.run([{ statement: SET_ASIDE, params: [seq, reason] }], CLAIM_TIMEOUT_MS);
  }

  /** Deletes some published events older than that. @returns true when there may be more */
  async purge(published: number, olderThanMs: number): Promise<boolean> {
    const [gone] = await this.held.run([
      { statement: PURGE, params: [published, olderThanMs] },
      { statement: PURGE_SET_ASIDE, params: [olderThanMs] },
    ]);
    return gone?.rowCount === PURGE_SIZE;
  }

  end(): void {
    this.held.end();
  }
}

function rowsOf(result: Result<Record<string, unknown>> | undefined): StoredEvent[] {
  return (result?.rows ?? []) as unknown as StoredEvent[];
}
