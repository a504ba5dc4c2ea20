import type { Position } from '@novacron/contracts/position';
import type { Link, Row } from './link.js';
import type { Settled } from './settled.js';
import type { Call, Result } from './statement.js';
import { COMMITTING, FLUSHED } from './statements.js';

/** What a look found for the statements after it. */
export interface Found {
  /** Every commit up to here was visible to them. */
  readonly position: Position;
  readonly flushed: bigint;
  /** False where the server cannot tell who commits: then `position` holds for tokens of the primary alone. */
  readonly exact: boolean;
}

/** The statements of a look, which go first in a batch, and how to read their results. See {@link Settled}. */
export interface Look {
  readonly head: readonly Call[];
  end(results: readonly Result<Row>[]): Found;
}

/** A look that is sent on `link` next. */
export function lookOn(link: Link, settled: Settled): Look {
  const { tellsCommits, systemId, timeline } = link.identity;
  const flushedIn = (results: readonly Result<Row>[]) => link.positionAt(results[0]?.rows[0]?.lsn);
  if (!tellsCommits) {
    const end = (results: readonly Result<Row>[]) => {
      const flushed = flushedIn(results);
      return { position: strictlyBefore(flushed), flushed: flushed.lsn, exact: false };
    };
    return { head: [{ statement: FLUSHED }], end };
  }
  const ticket = settled.begin(`${systemId}.${timeline}`);
  const end = (results: readonly Result<Row>[]) => {
    const flushed = flushedIn(results);
    const { xids } = results[1]?.rows[0] as { xids: string };
    const lsn = settled.end(ticket, flushed.lsn, xids === '' ? [] : xids.split(','));
    return { position: { ...flushed, lsn }, flushed: flushed.lsn, exact: true };
  };
  return { head: [{ statement: FLUSHED }, { statement: COMMITTING }], end };
}

/**
 * Without a look the flush position may be that of a commit which is not visible yet. What holds for certain
 * is what a token has that was read on the primary and is lower: it was read before.
 */
export function strictlyBefore(flushed: Position): Position {
  return { ...flushed, lsn: flushed.lsn - 1n };
}
