import { maxPosition, sameHistory, type Position } from '@novacron/contracts/position';
import { BoundedMap } from '../reads/bounded-map.js';

/**
 * The last position that each caller of this process saw, so that a caller who carries no tokens still reads
 * its own writes here; and one position of the present history, so that every answer can carry a token.
 */
export class Positions {
  private readonly last: BoundedMap<string, Position>;
  private present: Position | null = null;

  constructor(capacity = 50_000) {
    this.last = new BoundedMap(capacity);
  }

  /** A position that is certainly not after the present: what an answer carries when it saw nothing. */
  get base(): Position | null {
    return this.present;
  }

  /** Null when the caller has not been here lately. */
  of(credentialId: string): Position | null {
    return this.last.get(credentialId) ?? null;
  }

  /** Takes note of a position that a service reported, for whomever. */
  saw(position: Position): void {
    if (this.present === null || !sameHistory(this.present, position)) this.present = position;
  }

  remember(credentialId: string, position: Position): void {
    const known = this.last.get(credentialId);
    this.last.set(credentialId, known === undefined ? position : later(known, position));
  }

  /** After a history was lost: the caller starts again, and so do we, from whatever a service says next. */
  forget(credentialId: string): void {
    this.last.delete(credentialId);
    this.present = null;
  }
}

/** The later of two; of two databases (one was restored from a backup meanwhile) the one just seen. */
export function later(known: Position, seen: Position): Position {
  return known.systemId === seen.systemId ? maxPosition(known, seen) : seen;
}
