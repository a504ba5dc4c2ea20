import { text, Timestamp } from '@novacron/contracts/common';
import { ServiceError } from '@novacron/contracts/errors';
import { z } from 'zod';

/** The last row of a page: the value it is sorted by, and its id to tell equals apart. */
export interface Keyset {
  readonly sort: string;
  readonly value: string;
  readonly id: string;
}

/** What a cursor may carry for a column of each SQL type, so that the cast of it in a query cannot fail. */
const VALUES = { timestamptz: Timestamp, text: text(255) } as const;
export type SortType = keyof typeof VALUES;

export function encodeCursor(keyset: Keyset): string {
  return Buffer.from(JSON.stringify([keyset.sort, keyset.value, keyset.id])).toString('base64url');
}

/**
 * @param type of the column that `sort` orders by
 * @throws ServiceError invalid_request when it is not a cursor of this list, or of another sort order
 */
export function decodeCursor(cursor: string, sort: string, type: SortType): Keyset {
  const parsed = z.tuple([z.literal(sort), VALUES[type], z.uuid()]).safeParse(jsonOf(cursor));
  if (parsed.success) {
    const [, value, id] = parsed.data;
    return { sort, value, id };
  }
  throw new ServiceError('invalid_request', 'The cursor is not one of this list', {
    errors: [{ path: '/cursor', message: 'pass nextCursor of the page before, with the same sort' }],
  });
}

function jsonOf(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    return undefined;
  }
}
