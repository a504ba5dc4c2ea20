import type { DomainEvent } from '@novacron/contracts/events';
import { PAGE_BYTES } from '@novacron/contracts/reply-size';
import { pageTexts } from '@novacron/messaging/page';
import type { Session, Statement } from '@novacron/postgres/database';
import { HEAD_COLUMNS, toDomainEvent, type StoredEvent } from './stored-event.js';

const FETCH_LIMIT = 500;

const BETWEEN: Statement = {
  name: 'outbox_between',
  text: `SELECT ${HEAD_COLUMNS}, CASE WHEN octet_length(data::text) <= ${PAGE_BYTES} THEN data::text ELSE 'null' END AS data
           FROM outbox WHERE seq BETWEEN $1 AND $2 ORDER BY seq LIMIT ${FETCH_LIMIT}`,
  table: 'outbox',
};
const BOUNDS: Statement = {
  name: 'outbox_bounds',
  text: 'SELECT (SELECT min(seq) FROM outbox) AS oldest, (SELECT seq FROM outbox_counter) AS last',
  table: 'outbox',
};

export interface FetchedEvents {
  readonly events: DomainEvent[];
  /** The oldest seq that is still kept; null: none is. */
  readonly oldestSeq: number | null;
  readonly lastSeq: number;
}

/**
 * Events by seq, both ends included, for a consumer that detected a gap: the first of them, at most 500 and as many as
 * one page holds. Events that were set aside are included; `data` is null where no page holds it. Needs the `_sys`
 * role. Reads the primary, which has every seq that a consumer can have received.
 */
export async function fetchEvents(session: Session, fromSeq: number, toSeq: number): Promise<FetchedEvents> {
  const { results } = await session.read({}, [
    { statement: BOUNDS },
    { statement: BETWEEN, params: [fromSeq, toSeq] },
  ]);
  const bounds = results[0]?.rows[0] as { oldest: number | null; last: number };
  const rows = results[1]?.rows as unknown as StoredEvent[];
  const page = pageTexts(rows, { limit: FETCH_LIMIT, text: ({ data }) => data });
  return {
    events: rows.slice(0, page.length).map(toDomainEvent),
    oldestSeq: bounds.oldest,
    lastSeq: bounds.last,
  };
}
