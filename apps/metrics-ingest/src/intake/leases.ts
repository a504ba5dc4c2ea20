import { Injectable } from '@nestjs/common';
import { METRIC_PARTITIONS } from '@novacron/contracts/metrics';
import type { Position } from '@novacron/contracts/position';
import type { Database, Statement } from '@novacron/postgres/database';
import { SystemDatabase } from '@novacron/service-kit/inject';
import { randomUUID } from 'node:crypto';

/** The stream position of a partition in Postgres. */
export interface StoredPosition {
  readonly partition: number;
  /** When its stream was created, in JetStream's format; '' before the first stream. */
  readonly stream: string;
  readonly streamGeneration: number;
  readonly seq: number;
  /** When JetStream stored the message at `seq`, in milliseconds since 1970. At seq 0: messages up to this time are skipped. */
  readonly messageAt: number;
  /** Increases with every lease; a decimal text. */
  readonly fence: string;
}

/** A lease ends this long after its owner's last renewal. Exclusive writes depend on the fence, not on the clock. */
const LEASE = "interval '4 seconds'";

const POSITION = `partition, stream, generation AS "streamGeneration", seq::float8 AS seq, message_at::float8 AS "messageAt", fence::text AS fence`;
const ALIVE: Statement = {
  name: 'metrics_alive',
  text: `INSERT INTO metrics.ingesters (id, seen_until) VALUES ($1, now() + ${LEASE})
         ON CONFLICT (id) DO UPDATE SET seen_until = excluded.seen_until`,
};
const FORGET: Statement = {
  name: 'metrics_forget',
  text: 'DELETE FROM metrics.ingesters WHERE seen_until < now() OR id = $1',
};
const RENEW: Statement = {
  name: 'metrics_renew',
  text: `UPDATE metrics.intake SET lease_until = now() + ${LEASE} WHERE owner = $1 RETURNING ${POSITION}`,
};
const COUNT: Statement = {
  name: 'metrics_count',
  text: 'SELECT count(*)::int AS live FROM metrics.ingesters WHERE seen_until >= now()',
};
const CLAIM: Statement = {
  name: 'metrics_claim',
  text: `UPDATE metrics.intake SET owner = $1, fence = fence + 1, lease_until = now() + ${LEASE}
         WHERE partition IN (SELECT partition FROM metrics.intake WHERE lease_until < now()
                             ORDER BY partition LIMIT $2 FOR UPDATE SKIP LOCKED)
         RETURNING ${POSITION}`,
};
const RELEASE: Statement = {
  name: 'metrics_release',
  text: `UPDATE metrics.intake SET owner = NULL, lease_until = '-infinity' WHERE owner = $1 AND partition = ANY ($2::smallint[])`,
};
const OWNED: Statement = {
  name: 'metrics_owned',
  text: 'SELECT partition FROM metrics.intake WHERE owner = $1',
};
const BEGIN_GENERATION: Statement = {
  name: 'metrics_begin_generation',
  text: `UPDATE metrics.intake SET stream = $3, generation = generation + 1, seq = 0, message_at = $4
         WHERE partition = $1 AND fence = $2 RETURNING ${POSITION}`,
};

/**
 * The leases of the partitions that this process owns. Live processes share the partitions evenly: each takes free ones
 * up to its share and releases the surplus.
 */
@Injectable()
export class Leases {
  /** Identifies this process among the ingesters. */
  readonly #id = randomUUID();

  constructor(@SystemDatabase() private readonly db: Database) {}

  /**
   * Renews this process's leases and takes its share.
   * @returns the partitions that it owns now, and the surplus among them that it must stop reading and {@link release}
   */
  async renew(): Promise<{ owned: StoredPosition[]; surplus: number[] }> {
    const { results } = await this.db.primary.batch({}, [
      { statement: ALIVE, params: [this.#id] },
      { statement: RENEW, params: [this.#id] },
      { statement: COUNT },
    ]);
    const owned = (results[1]?.rows ?? []) as unknown as StoredPosition[];
    const live = (results[2]?.rows[0]?.live as number | undefined) ?? 1;
    const share = Math.ceil(METRIC_PARTITIONS / live);
    if (owned.length >= share)
      return { owned, surplus: owned.slice(share).map(({ partition }) => partition) };
    const claimed = await this.db.primary.batch({}, [
      { statement: CLAIM, params: [this.#id, share - owned.length] },
    ]);
    return {
      owned: [...owned, ...((claimed.results[0]?.rows ?? []) as unknown as StoredPosition[])],
      surplus: [],
    };
  }

  /**
   * @returns the partitions that this process owned at `upTo`, a position read before the query. A later owner of one
   *   has leased it after `upTo`, and so commits its points after `upTo`.
   */
  async ownedUpTo(): Promise<{ partitions: number[]; upTo: Position }> {
    const { rows, lowerBound: position } = await this.db.primary.query<{ partition: number }>(
      OWNED,
      [this.#id],
      {
        timeoutMs: 2_000,
      },
    );
    return { partitions: rows.map(({ partition }) => partition), upTo: position };
  }

  async release(partitions: readonly number[]): Promise<void> {
    if (partitions.length === 0) return;
    await this.db.primary.batch({}, [{ statement: RELEASE, params: [this.#id, partitions] }]);
  }

  /** Releases every lease, so that another process need not wait until the leases end. */
  async leave(): Promise<void> {
    const all = Array.from({ length: METRIC_PARTITIONS }, (_, partition) => partition);
    await this.db.primary.batch({}, [
      { statement: RELEASE, params: [this.#id, all] },
      { statement: FORGET, params: [this.#id] },
    ]);
  }

  /**
   * Begins a new stream generation of a partition, because its stream was recreated or lost messages already read.
   * @param after messages stored up to this time (milliseconds since 1970) belong to the generation before. It is kept
   *   with the position until the first write.
   */
  async beginGeneration(position: StoredPosition, stream: string, after: number): Promise<StoredPosition> {
    const { results } = await this.db.primary.batch({}, [
      { statement: BEGIN_GENERATION, params: [position.partition, position.fence, stream, after] },
    ]);
    const begun = results[0]?.rows[0] as unknown as StoredPosition | undefined;
    if (!begun) throw new Error(`partition ${position.partition} is no longer owned by this process`);
    return begun;
  }
}
