import { ServiceError } from '@novacron/contracts/errors';

const ENTITY_TAG = /^(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"$/;

export function etagOf(version: number): string {
  return `"${version}"`;
}

/** Whether If-None-Match names none of this (RFC 9110 §13.1.2: weak comparison, lists and `*`). */
export function noneMatch(header: string | undefined, etag: string): boolean {
  if (header === undefined) return true;
  if (header === etag || header.trim() === '*') return false;
  return !header.split(',').some((tag) => `"${ENTITY_TAG.exec(tag.trim())?.[2]}"` === etag);
}

/**
 * The version that If-Match asks for; undefined when any will do (no header, or `*`).
 * @throws ServiceError `precondition_failed` for a tag that no version of ours has, `invalid_request` for no tag
 */
export function expectedVersion(header: string | undefined): number | undefined {
  if (header === undefined || header.trim() === '*') return undefined;
  const tag = ENTITY_TAG.exec(header.trim());
  if (tag === null) {
    throw new ServiceError('invalid_request', 'If-Match is not one entity tag.', {
      errors: [{ path: '/header/If-Match', message: 'send one ETag as it was answered, or *' }],
    });
  }
  const version = Number(tag[2]);
  // A weak tag counts, against RFC 9110 §13.1.1: what compresses on the way has to make our strong ones weak, and
  // the version that it names is as sure as before.
  if (!/^\d{1,15}$/.test(tag[2] ?? '') || !Number.isSafeInteger(version)) {
    throw new ServiceError('precondition_failed', 'No version of this has that ETag.');
  }
  return version;
}
