import { sameLineage, type Position } from '@novacron/contracts/position';
import { LRUCache } from 'lru-cache';
import { later } from '../reads/requester.js';

/**
 * The last position that each caller of this process observed, so that a caller without tokens still reads their own
 * writes here. Also one position of the present timeline, so that every answer can carry a token.
 */
export class Positions {
  private readonly last: LRUCache<string, Position>;
  private present: Position | null = null;

  constructor(capacity = 50_000) {
    this.last = new LRUCache({ max: capacity });
  }

  /** A position that is certainly not after the present: for an answer that observed nothing. */
  get base(): Position | null {
    return this.present;
  }

  /** null when the caller has not been here lately. */
  of(credentialId: string): Position | null {
    return this.last.get(credentialId) ?? null;
  }

  /** Takes note of a position that a service reported, for any caller. */
  observe(position: Position): void {
    if (this.present === null || !sameLineage(this.present, position)) this.present = position;
  }

  remember(credentialId: string, position: Position): void {
    const known = this.last.get(credentialId);
    this.last.set(credentialId, known === undefined ? position : later(known, position));
  }

  /** After a lost timeline: the caller and this process start again from the next position that a service reports. */
  forget(credentialId: string): void {
    this.last.delete(credentialId);
    this.present = null;
  }
}
