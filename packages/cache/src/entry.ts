/**
 * A cached answer. Positions are bytes of the log of one history (system identifier and timeline); caches of
 * another history are dropped, so they are plain numbers here.
 */
export interface Entry {
  /** The serialized body, ready to send. */
  readonly bytes: Buffer;
  /** Of the resource; null for what has none (a list, a metric), and for a remembered absence. */
  readonly version: number | null;
  /** The body holds everything that was committed up to here. */
  readonly position: bigint;
  /**
   * The body shows nothing that was committed later than this: who was answered carries it on in his token, or
   * another cache could answer him with less.
   */
  readonly seen: bigint;
  /** The tenant that it was read for: compared before it is answered. */
  readonly tenantId: string;
  /** HTTP status of the answer: 200, or 404 for a remembered absence. */
  readonly status: number;
  /** Milliseconds since 1970. */
  readonly filledAt: number;
  readonly ttlMs: number;
}

/** What an entry costs, in bytes: its body and what surrounds it in memory. */
export function sizeOf(key: string, entry: Entry): number {
  return entry.bytes.length + key.length * 2 + 256;
}

export function expired(entry: Entry, now: number): boolean {
  return now - entry.filledAt >= entry.ttlMs;
}
