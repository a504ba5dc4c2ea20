import type { Position } from '@novacron/contracts/position';
import type { Connection, Row } from './connection.js';
import type { VisibleHorizon } from './visible-horizon.js';
import type { Call, Result } from './statement.js';
import { COMMITTING, FLUSHED } from './statements.js';

/** The result of a probe, for the statements after it. */
export interface ProbeResult {
  /** Every commit up to here was visible to them. */
  readonly position: Position;
  readonly flushed: bigint;
  /** False where the server cannot list the transactions in COMMIT: then `position` is valid for tokens of the primary alone. */
  readonly exact: boolean;
}

/** The statements of a probe, which go first in a batch, and how to read their results. See {@link VisibleHorizon}. */
export interface VisibilityProbe {
  readonly head: readonly Call[];
  end(results: readonly Result<Row>[]): ProbeResult;
}

/** A probe that is sent on `connection` next. */
export function probeOn(connection: Connection, horizon: VisibleHorizon): VisibilityProbe {
  const { tellsCommits, systemId, timeline } = connection.identity;
  const flushedIn = (results: readonly Result<Row>[]) => connection.positionAt(results[0]?.rows[0]?.lsn);
  if (!tellsCommits) {
    const end = (results: readonly Result<Row>[]) => {
      const flushed = flushedIn(results);
      return { position: strictlyBefore(flushed), flushed: flushed.lsn, exact: false };
    };
    return { head: [{ statement: FLUSHED }], end };
  }
  const ticket = horizon.begin(`${systemId}.${timeline}`);
  const end = (results: readonly Result<Row>[]) => {
    const flushed = flushedIn(results);
    const { xids } = results[1]?.rows[0] as { xids: string };
    const lsn = horizon.end(ticket, flushed.lsn, xids === '' ? [] : xids.split(','));
    return { position: { ...flushed, lsn }, flushed: flushed.lsn, exact: true };
  };
  return { head: [{ statement: FLUSHED }, { statement: COMMITTING }], end };
}

/**
 * Without a probe the flush position may be that of a commit which is not visible yet. Any lower position that a token
 * got from the primary was read before, so its commits are visible.
 */
export function strictlyBefore(flushed: Position): Position {
  return { ...flushed, lsn: flushed.lsn - 1n };
}
