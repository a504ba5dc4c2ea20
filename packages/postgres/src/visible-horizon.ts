/** One observation of the primary: its flush position, and then the transactions that are in COMMIT. */
interface Observation {
  readonly lsn: bigint;
  readonly committing: ReadonlySet<string>;
}

/** The knowledge at the time a probe was sent; {@link VisibleHorizon.end} takes it with the answer. */
export interface Ticket {
  readonly lineage: string;
  readonly visibleUpTo: bigint;
  readonly open: Observation | null;
}

/**
 * The position up to which the primary is known to show every commit. The flush position alone is not that: a commit
 * is flushed, sent to the replicas and shown there a moment before its backend makes it visible on the primary.
 *
 * A probe reads the flush position and then the transactions that may be in that moment. When there are none, every
 * commit up to that position is visible to later statements. When there are some, it is visible as soon as a probe
 * that was sent later finds none of them.
 */
export class VisibleHorizon {
  #lineage = '';
  #visibleUpTo = 0n;
  #open: Observation | null = null;

  /** To be called before a probe is sent. `lineage` names system and timeline of the server that it is sent to. */
  begin(lineage: string): Ticket {
    if (lineage !== this.#lineage) {
      this.#lineage = lineage;
      this.#visibleUpTo = 0n;
      this.#open = null;
    }
    return { lineage, visibleUpTo: this.#visibleUpTo, open: this.#open };
  }

  /** Every commit up to the returned position is visible to the statements after the probe. */
  end(ticket: Ticket, lsn: bigint, committing: readonly string[]): bigint {
    const seen: Observation = { lsn, committing: new Set(committing) };
    let visible = ticket.visibleUpTo;
    if (seen.committing.size === 0) visible = lsn;
    else if (ticket.open && committing.every((xid) => !ticket.open?.committing.has(xid))) {
      if (ticket.open.lsn > visible) visible = ticket.open.lsn;
    }
    if (ticket.lineage !== this.#lineage) return visible;
    if (visible > this.#visibleUpTo) this.#visibleUpTo = visible;
    // One observation at a time is waited for: the next one begins where it ended.
    if (this.#open === null || this.#open.lsn <= this.#visibleUpTo) {
      this.#open = seen.committing.size > 0 && lsn > this.#visibleUpTo ? seen : null;
    }
    return visible;
  }
}
