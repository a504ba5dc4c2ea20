import { hash } from 'node:crypto';
import type { Entry } from '@novacron/cache/entry';
import type { Position } from '@novacron/contracts/position';

/** The header values of a cached entry: computed once, kept as long as its bytes. */
export interface CachedHeaders {
  readonly etag: string;
  /** Of the body, in bytes. */
  readonly length: string;
  /** The position that a reader of the entry has observed. */
  readonly position: Position;
}

/** One timeline of one database. Positions of two lineages do not compare. */
export interface Lineage {
  readonly text: string;
  readonly systemId: string;
  readonly timeline: number;
}

/** @param text `<systemId>.<timeline>` */
export function lineageOf(text: string): Lineage {
  const [systemId, timeline] = text.split('.') as [string, string];
  return { text, systemId, timeline: Number(timeline) };
}

/** Remembers {@link CachedHeaders} by the bytes of a body. */
export class CachedHeadersStore {
  readonly #headers = new WeakMap<Buffer, CachedHeaders>();

  /** @param lineage of the entry's positions */
  of({ bytes, version, seen }: Entry, { systemId, timeline }: Lineage): CachedHeaders {
    const known = this.#headers.get(bytes);
    if (known !== undefined) return known;
    const headers = {
      etag: version === null ? contentTag(bytes) : etagOf(version),
      length: String(bytes.length),
      position: { systemId, timeline, lsn: seen },
    };
    this.#headers.set(bytes, headers);
    return headers;
  }
}

export function etagOf(version: number): string {
  return `"${version}"`;
}

/** The ETag of a body without a version. Two gateways give the same body the same tag. */
export function contentTag(bytes: Buffer): string {
  return `"${hash('sha1', bytes, 'base64url')}"`;
}
