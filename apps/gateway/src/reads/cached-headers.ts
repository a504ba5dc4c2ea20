import { hash } from 'node:crypto';
import type { Entry } from '@novacron/cache/entry';
import type { Position } from '@novacron/contracts/position';
import { etagOf } from '../http/etag.js';

/** What an answer's headers say of an entry: worked out once, kept for as long as its bytes are. */
export interface Shown {
  readonly etag: string;
  /** Of the body, in bytes. */
  readonly length: string;
  /** What the reader has seen. */
  readonly position: Position;
}

export interface History {
  readonly text: string;
  readonly systemId: string;
  readonly timeline: number;
}

/** @param text `<systemId>.<timeline>` */
export function historyOf(text: string): History {
  const [systemId, timeline] = text.split('.') as [string, string];
  return { text, systemId, timeline: Number(timeline) };
}

/** Remembers {@link Shown} by the bytes of a body. */
export class ShownEntries {
  readonly #shown = new WeakMap<Buffer, Shown>();

  /** @param history that the entry's positions are of */
  of({ bytes, version, seen }: Entry, history: History): Shown {
    const known = this.#shown.get(bytes);
    if (known !== undefined) return known;
    const { systemId, timeline } = history;
    const shown = {
      etag: version === null ? contentTag(bytes) : etagOf(version),
      length: String(bytes.length),
      position: { systemId, timeline, lsn: seen },
    };
    this.#shown.set(bytes, shown);
    return shown;
  }
}

/** Of what has no version. Two gateways give the same answer the same tag. */
export function contentTag(bytes: Buffer): string {
  return `"${hash('sha1', bytes, 'base64url')}"`;
}
