/**
 * A cached answer. Positions are bytes of the log of one lineage (system identifier and timeline). A cache drops the
 * entries of other lineages, so positions are plain numbers here.
 */
export interface Entry {
  /** The serialized body, ready to send. */
  readonly bytes: Buffer;
  /** Of the resource; null for an answer without a version (a list, a metric), and for a remembered absence. */
  readonly version: number | null;
  /** The body holds everything that was committed up to here. */
  readonly position: bigint;
  /**
   * The body shows nothing that was committed later than this. The caller carries it on in their token: otherwise
   * another cache could answer them with an older state.
   */
  readonly seen: bigint;
  /** The tenant that the entry was read for. It is compared before each answer. */
  readonly tenantId: string;
  /** HTTP status of the answer: 200, or 404 for a remembered absence. */
  readonly status: number;
  /** Milliseconds since 1970. */
  readonly filledAt: number;
  readonly ttlMs: number;
}

/** The memory that an entry takes, in bytes: its body and the objects around it. */
export function sizeOf(key: string, entry: Entry): number {
  return entry.bytes.length + key.length * 2 + 256;
}

export function expired(entry: Entry, now: number): boolean {
  return now - entry.filledAt >= entry.ttlMs;
}
