/** What was looked at on the primary: its flush position, and then who is in the middle of COMMIT. */
interface Look {
  readonly lsn: bigint;
  readonly committing: ReadonlySet<string>;
}

/** What was known when a look was sent; {@link Settled.end} takes it back with the answer. */
export interface Ticket {
  readonly history: string;
  readonly settled: bigint;
  readonly open: Look | null;
}

/**
 * Up to which position the primary is known to show every commit. Its flush position alone does not tell: a
 * commit is flushed, sent to the replicas and shown there a moment before its backend lets the primary show it.
 *
 * A look reads the flush position and then the transactions that may be in that moment. When there are none,
 * all up to that position is visible to whatever follows. When there are some, it is so as soon as a look that
 * was sent later finds none of them.
 */
export class Settled {
  #history = '';
  #settled = 0n;
  #open: Look | null = null;

  /** To be called before a look is sent. `history` names system and timeline of the server that it is sent to. */
  begin(history: string): Ticket {
    if (history !== this.#history) {
      this.#history = history;
      this.#settled = 0n;
      this.#open = null;
    }
    return { history, settled: this.#settled, open: this.#open };
  }

  /** Every commit up to the position returned is visible to what ran after the look. */
  end(ticket: Ticket, lsn: bigint, committing: readonly string[]): bigint {
    const look: Look = { lsn, committing: new Set(committing) };
    let visible = ticket.settled;
    if (look.committing.size === 0) visible = lsn;
    else if (ticket.open && committing.every((xid) => !ticket.open?.committing.has(xid))) {
      if (ticket.open.lsn > visible) visible = ticket.open.lsn;
    }
    if (ticket.history !== this.#history) return visible;
    if (visible > this.#settled) this.#settled = visible;
    // One look at a time is waited for: the next one begins where it ended.
    if (this.#open === null || this.#open.lsn <= this.#settled) {
      this.#open = look.committing.size > 0 && lsn > this.#settled ? look : null;
    }
    return visible;
  }
}
