import { PAGE_BYTES } from '@novacron/contracts/reply-size';

/** A page of at most so many items is not measured: that would cost more than it saves. */
export const UNMEASURED = 50;

export interface Measure {
  /** Requested items. */
  readonly limit: number;
  /** The columns of `rows` that the statement returns. */
  readonly columns: string;
  readonly order: string;
  /** SQL of a row's size in bytes; never more than its item takes as JSON, or the list would end too early. */
  readonly size: string;
}

/**
 * The statement without the rows that a page could not hold: 500 VMs with the largest tags are 40 MB, of which a page
 * takes half a megabyte. The first row beyond the page stays, to show that there is a next page.
 * @param rows a SELECT with the order and limit of the list
 */
export function measuredPage(rows: string, { limit, columns, order, size }: Measure): string {
  if (limit <= UNMEASURED) return rows;
  return `SELECT ${columns} FROM (
      SELECT page.*, row_number() OVER before_it AS place,
        sum(${size}) OVER (before_it ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
      FROM (${rows}) AS page WINDOW before_it AS (ORDER BY ${order})) AS measured
    WHERE place <= 2 OR bytes_before <= ${PAGE_BYTES} ORDER BY ${order}`;
}
