import { RawBody } from '@novacron/contracts/envelope';
import { PAGE_BYTES } from '@novacron/contracts/reply-size';

/** How to turn the rows of a list into a page. */
export interface PageOptions<Row> {
  /** The maximum number of items. */
  readonly limit: number;
  /** The item as JSON. */
  readonly text: (row: Row) => string;
  /** The cursor of the page after this row. */
  readonly cursor: (row: Row) => string;
}

/**
 * The items of one page as JSON texts, bounded by the limit and by `PAGE_BYTES`. The first item is always included, so
 * that paging continues behind an item of any size.
 */
export function pageTexts<Row>(
  rows: readonly Row[],
  { limit, text }: Pick<PageOptions<Row>, 'limit' | 'text'>,
): string[] {
  const texts: string[] = [];
  let bytes = 0;
  for (const row of rows) {
    if (texts.length === limit) break;
    const item = text(row);
    bytes += Buffer.byteLength(item) + 1;
    if (bytes > PAGE_BYTES && texts.length > 0) break;
    texts.push(item);
  }
  return texts;
}

/** A page `{items, nextCursor}` of these rows. @param rows one more than `limit` when there are more */
export function pageBody<Row>(rows: readonly Row[], options: PageOptions<Row>): RawBody {
  const items = pageTexts(rows, options);
  const last = rows[items.length - 1];
  const isEnd = last === undefined || items.length === rows.length;
  const nextCursor = isEnd ? 'null' : JSON.stringify(options.cursor(last));
  return new RawBody(`{"items":[${items.join(',')}],"nextCursor":${nextCursor}}`);
}
