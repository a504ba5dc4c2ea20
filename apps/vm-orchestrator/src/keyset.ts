import { ServiceError } from '@novacron/contracts/errors';

/** The last row of a page: the value it is sorted by, and its id to tell equals apart. */
export interface Keyset {
  readonly sort: string;
  readonly value: string;
  readonly id: string;
}

export function encodeCursor(keyset: Keyset): string {
  return Buffer.from(JSON.stringify([keyset.sort, keyset.value, keyset.id])).toString('base64url');
}

/** @throws ServiceError invalid_request when it is no cursor of ours, or of another sort order */
export function decodeCursor(cursor: string, sort: string): Keyset {
  try {
    const [of, value, id] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    if (of === sort && typeof value === 'string' && typeof id === 'string') return { sort, value, id };
  } catch {
    // No JSON: as wrong as a cursor of another list.
  }
  throw new ServiceError('invalid_request', 'The cursor is not one of this list', {
    errors: [{ path: '/cursor', message: 'pass nextCursor of the page before, with the same sort' }],
  });
}
