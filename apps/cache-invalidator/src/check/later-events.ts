import { Injectable } from '@nestjs/common';
import type { EventKind } from '@novacron/contracts/events';
import { parsePosition } from '@novacron/contracts/position';
import type { Statement } from '@novacron/postgres/database';
import { Ledger } from '../ledger/ledger.js';

export interface Versioned {
  readonly id: string;
  readonly version: number;
}

export interface LaterEvent extends Versioned {
  readonly position: bigint;
}

const LATER: Statement = {
  name: 'check_later',
  text: `SELECT DISTINCT ON (e.id) e.id, l.version::float8 AS version, l.position
         FROM unnest($2::text[], $3::bigint[]) AS e (id, version)
         JOIN cache.ledger l ON l.resource_id = e.id AND l.kind = $1 AND l.version > e.version AND starts_with(l.position, $4)
         ORDER BY e.id, l.seq`,
  table: 'ledger',
};

/** Finds the later events of resources in the ledger. */
@Injectable()
export class LaterEvents {
  constructor(private readonly ledger: Ledger) {}

  /**
   * For each resource the first known event with a higher version, which was committed at or before its position.
   * Resources without a later event are left out.
   * @param lineage of the positions
   */
  async of(kind: EventKind, known: readonly Versioned[], lineage: string): Promise<LaterEvent[]> {
    const params = [kind, known.map(({ id }) => id), known.map(({ version }) => version), `${lineage}.`];
    const { rows } = await this.ledger.reads.query<Versioned & { position: string }>(LATER, params);
    return rows.map((row) => ({ ...row, position: parsePosition(row.position).lsn }));
  }
}
