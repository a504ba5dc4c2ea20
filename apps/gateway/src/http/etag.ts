import { ServiceError } from '@novacron/contracts/errors';
import type { IfMatch } from '@novacron/contracts/vms';

/**
 * One element of a list of entity tags (RFC 9110 §8.8.3, §5.6.1); an element may be empty. Blanks match in one way only,
 * so that the time of a match is linear in the length.
 */
const ELEMENT = /[ \t]*(?:(?:W\/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*)?(?:,|$)/y;
/** The suffixes that compressing proxies add to a tag: Apache, Caddy `-gzip`, Jetty `--gzip`, older ones `;gzip`. */
const CODING = /(?:--?|[;:])(?:gzip|br|zstd|deflate)$/;
/** Tags in a list. */
const MOST = 100;
/** Characters of a list: 100 tags of 80. */
const LONGEST = 8_000;

/** Whether If-None-Match does not name this tag (RFC 9110 §13.1.2: weak comparison, lists and `*`). */
export function noneMatch(header: string | undefined, etag: string): boolean {
  if (header === undefined) return true;
  if (header === etag || header.trim() === '*') return false;
  return !tagsOf(header)?.some((tag) => `"${tag}"` === etag || `"${tag.replace(CODING, '')}"` === etag);
}

/**
 * The version that If-Match requires, or several; undefined for any version (no header, or `*`).
 * @throws ServiceError `precondition_failed` when no tag names a version, `invalid_request` when it is not a list of tags
 */
export function expectedVersion(header: string | undefined): IfMatch | undefined {
  if (header === undefined || header.trim() === '*') return undefined;
  const tags = tagsOf(header);
  if (tags === null || tags.length === 0 || tags.length > MOST) {
    throw new ServiceError('invalid_request', `If-Match is not a list of 1 to ${MOST} entity tags.`, {
      errors: [{ path: '/header/If-Match', message: 'send ETags as they were answered, or *' }],
    });
  }
  // Weak tags and tags with a suffix count, contrary to RFC 9110 §13.1.1: a compressing proxy changes our strong tags,
  // and they still name the same version.
  const versions = tags
    .map((tag) => tag.replace(CODING, ''))
    .filter((tag) => /^\d{1,15}$/.test(tag))
    .map(Number);
  const [version] = versions;
  if (version === undefined)
    throw new ServiceError('precondition_failed', 'No version of this has that ETag.');
  return versions.length === 1 ? version : versions;
}

/** The opaque parts of a list of entity tags; null when it is not one, or longer than {@link LONGEST}. */
function tagsOf(header: string): string[] | null {
  if (header.length > LONGEST) return null;
  const tags: string[] = [];
  ELEMENT.lastIndex = 0;
  while (ELEMENT.lastIndex < header.length) {
    const element = ELEMENT.exec(header);
    if (element === null) return null;
    if (element[1] !== undefined) tags.push(element[1]);
  }
  return tags;
}
