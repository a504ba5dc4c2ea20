import { Injectable } from '@nestjs/common';
import type { DomainEvent, Watermark } from '@novacron/contracts/events';
import type { LedgerStatus } from '@novacron/contracts/ledger';
import type { Position } from '@novacron/contracts/position';
import type { Call, Database, Session, Statement } from '@novacron/postgres/database';
import { isPartOf, type Lineage } from '@novacron/postgres/lineage';
import type { Committed } from '@novacron/postgres/primary';
import { SystemDatabase } from '@novacron/service-kit/inject';

/** How an event arrived: by the stream, or fetched from the orchestrator because the stream did not deliver it. */
export type Via = 'stream' | 'fetch';

export interface Gap {
  readonly fromSeq: number;
  readonly toSeq: number;
}

/** The part of an event that the ledger keeps. */
export type LedgerEntry = Pick<
  DomainEvent,
  'id' | 'seq' | 'tenantId' | 'kind' | 'resourceId' | 'version' | 'position'
>;

const RECORD: Statement = {
  name: 'ledger_record',
  text: `INSERT INTO cache.ledger (seq, event_id, tenant_id, kind, resource_id, version, position, via)
         SELECT *, $8 FROM unnest($1::bigint[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[])
         ON CONFLICT (seq) DO UPDATE SET
           event_id = excluded.event_id, tenant_id = excluded.tenant_id, kind = excluded.kind,
           resource_id = excluded.resource_id, version = excluded.version, position = excluded.position,
           via = excluded.via, received_at = now()
         WHERE excluded.via = 'fetch' AND cache.ledger.event_id <> excluded.event_id`,
  table: 'ledger',
};
const CONFLICTS: Statement = {
  name: 'ledger_conflicts',
  text: `SELECT l.seq::float8 AS seq FROM unnest($1::bigint[], $2::uuid[]) AS e (seq, id)
         JOIN cache.ledger l ON l.seq = e.seq AND l.event_id <> e.id ORDER BY 1`,
  table: 'ledger',
};
/**
 * Numbers after `contiguous` without a gap before them keep their distance to it: seq - row_number. The lock comes first,
 * in its own statement: of two concurrent advances the second must see the rows that the first saw.
 */
const LOCK: Statement = {
  name: 'ledger_lock',
  text: "SELECT 1 FROM cache.progress WHERE source = 'orchestrator' FOR UPDATE",
};
const ADVANCE: Statement = {
  name: 'ledger_advance',
  text: `WITH ahead AS (
           SELECT l.seq, l.seq - row_number() OVER (ORDER BY l.seq) AS before
           FROM cache.ledger l WHERE l.seq > (SELECT contiguous FROM cache.progress WHERE source = 'orchestrator')
           ORDER BY l.seq LIMIT 20000),
         reached AS (
           SELECT max(a.seq) FILTER (WHERE a.before = p.contiguous) AS contiguous, max(a.seq) AS highest
           FROM ahead a, cache.progress p WHERE p.source = 'orchestrator')
         UPDATE cache.progress p SET
           contiguous = coalesce(r.contiguous, p.contiguous),
           highest = greatest(p.highest, r.highest),
           moved_at = CASE WHEN r.contiguous IS NULL AND p.highest > p.contiguous THEN p.moved_at ELSE now() END
         FROM reached r WHERE p.source = 'orchestrator' AND (r.contiguous IS NOT NULL OR r.highest > p.highest)`,
  table: 'progress',
};
const SKIP: Statement = {
  name: 'ledger_skip',
  text: `UPDATE cache.progress SET contiguous = $1, moved_at = now(), highest = greatest(highest, $1),
           skipped = skipped + $1 - contiguous
         WHERE source = 'orchestrator' AND contiguous < $1`,
  table: 'progress',
};
const MARK: Statement = {
  name: 'ledger_mark',
  text: `UPDATE cache.progress SET highest = greatest(highest, $1),
           moved_at = CASE WHEN highest > contiguous THEN moved_at ELSE now() END,
           watermark_seq = CASE WHEN contiguous >= $1 THEN $1 ELSE watermark_seq END,
           watermark_position = CASE WHEN contiguous >= $1 THEN $2 ELSE watermark_position END
         WHERE source = 'orchestrator'`,
  table: 'progress',
};
const PROGRESS: Statement = {
  name: 'ledger_progress',
  text: `SELECT contiguous::float8 AS contiguous, highest::float8 AS highest, skipped::float8 AS skipped,
           watermark_seq::float8 AS "watermarkSeq", watermark_position AS "watermarkPosition",
           CASE WHEN highest > contiguous THEN (extract(epoch FROM clock_timestamp() - moved_at) * 1000)::float8 ELSE 0 END AS "ageMs"
         FROM cache.progress WHERE source = 'orchestrator'`,
  table: 'progress',
};
/** A number that the orchestrator has not assigned yet is not missing, even if a message mentioned it. */
const LOWER: Statement = {
  name: 'ledger_lower',
  text: `UPDATE cache.progress SET highest = greatest(contiguous, $1) WHERE source = 'orchestrator' AND highest > $1`,
  table: 'progress',
};
/** Every run of missing numbers up to the highest; $1 runs at most. */
const GAPS: Statement = {
  name: 'ledger_holes',
  text: `WITH p AS (SELECT contiguous, highest FROM cache.progress WHERE source = 'orchestrator'),
         present AS (
           SELECT contiguous AS seq FROM p
           UNION ALL SELECT l.seq FROM cache.ledger l, p WHERE l.seq > p.contiguous AND l.seq <= p.highest
           UNION ALL SELECT highest + 1 FROM p)
         SELECT (seq + 1)::float8 AS "fromSeq", (next - 1)::float8 AS "toSeq"
         FROM (SELECT seq, lead(seq) OVER (ORDER BY seq) AS next FROM present) AS pairs
         WHERE next > seq + 1 ORDER BY seq LIMIT $1`,
  table: 'ledger',
};
const PURGE: Statement = {
  name: 'ledger_purge',
  text: `DELETE FROM cache.ledger WHERE seq IN (
           SELECT seq FROM cache.ledger WHERE received_at < now() - make_interval(days => $1)
             AND seq <= (SELECT contiguous FROM cache.progress WHERE source = 'orchestrator')
           ORDER BY seq LIMIT 10000)`,
  table: 'ledger',
};

const GAPS_SHOWN = 20;
const GAPS_READ = 1_000;

interface Progress {
  readonly contiguous: number;
  readonly highest: number;
  readonly skipped: number;
  readonly watermarkSeq: number | null;
  readonly watermarkPosition: string | null;
  readonly ageMs: number;
}

/** Which events were received. It is kept in Postgres, so that a restart or another process continues there. */
@Injectable()
export class Ledger {
  #writtenAt: Position | undefined;

  constructor(@SystemDatabase() private readonly db: Database) {}

  /** Reads from a replica that has what this process recorded last, else from the primary. */
  get reads(): Session {
    const { lineage } = this.db;
    const at = this.#writtenAt;
    // A position that a promotion cut off is not presented: it would be refused until the next write.
    return this.db.replica(at && lineage && isPartOf(at, lineage) ? at : undefined);
  }

  /**
   * Records events, in any order and any number of times, and moves the contiguous number over them.
   * @returns numbers under which another event is recorded: the orchestrator decides which one is right
   */
  async record(events: readonly LedgerEntry[], via: Via): Promise<number[]> {
    const unique = [...new Map(events.map((event) => [event.seq, event])).values()].sort(
      (a, b) => a.seq - b.seq,
    );
    if (unique.length === 0) return [];
    const seqs = unique.map(({ seq }) => seq);
    const ids = unique.map(({ id }) => id);
    const params = [
      seqs,
      ids,
      unique.map(({ tenantId }) => tenantId),
      unique.map(({ kind }) => kind),
      unique.map(({ resourceId }) => resourceId),
      unique.map(({ version }) => version),
      unique.map(({ position }) => position),
      via,
    ];
    const { results } = await this.#write([
      { statement: RECORD, params },
      { statement: CONFLICTS, params: [seqs, ids] },
      ...advance(),
    ]);
    return (results[1]?.rows as { seq: number }[]).map(({ seq }) => seq);
  }

  /** Skips the numbers up to `seq`, which the orchestrator no longer has. */
  async skipTo(seq: number): Promise<void> {
    await this.#write([{ statement: SKIP, params: [seq] }, ...advance()]);
  }

  /** The orchestrator's watermark: every event up to its number is committed. */
  async mark(mark: Pick<Watermark, 'seq' | 'position'>): Promise<void> {
    await this.#write([{ statement: MARK, params: [mark.seq, mark.position] }]);
  }

  /** The orchestrator has not assigned a number above `seq`. */
  async limitTo(seq: number): Promise<void> {
    await this.#write([{ statement: LOWER, params: [seq] }]);
  }

  /** Runs of missing numbers, lowest first. */
  async gaps(atMost = GAPS_READ): Promise<Gap[]> {
    return (await this.db.primary.query<Gap>(GAPS, [atMost])).rows;
  }

  /** The database's timelines. Without Postgres: undefined, and events of any timeline count until it answers. */
  async databaseLineage(): Promise<Lineage | undefined> {
    if (this.db.lineage === undefined) await this.status().catch(() => undefined);
    return this.db.lineage;
  }

  async status(): Promise<LedgerStatus> {
    const { results } = await this.db.primary.read({}, [
      { statement: PROGRESS },
      { statement: GAPS, params: [GAPS_READ] },
    ]);
    const progress = results[0]?.rows[0] as unknown as Progress;
    const gaps = results[1]?.rows as unknown as Gap[];
    const { watermarkSeq: seq, watermarkPosition: position } = progress;
    return {
      contiguousSeq: progress.contiguous,
      highestSeq: progress.highest,
      missing: gaps.reduce((sum, { fromSeq, toSeq }) => sum + toSeq - fromSeq + 1, 0),
      holes: gaps.slice(0, GAPS_SHOWN).map(({ fromSeq, toSeq }) => ({ fromSeq, toSeq })),
      oldestHoleAgeMs: Math.max(0, Math.round(progress.ageMs)),
      watermark: seq === null || position === null ? null : { seq, position },
      skipped: progress.skipped,
    };
  }

  /** Deletes events older than this; the contiguous number stays. */
  async purge(days: number): Promise<void> {
    await this.#write([{ statement: PURGE, params: [days] }]);
  }

  async #write(calls: readonly Call[]): Promise<Committed> {
    const written = await this.db.primary.batch({}, calls);
    this.#writtenAt = written.position;
    return written;
  }
}

function advance(): Call[] {
  return [{ statement: LOCK }, { statement: ADVANCE }];
}
