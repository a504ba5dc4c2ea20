import { LRUCache } from 'lru-cache';
import type { Caller } from '../reads/caller.js';
import { hashApiToken, isApiToken } from './api-token.js';

const BEARER = /^Bearer +([^\s]+) *$/i;
/** Headers that are remembered in full. The token of any other header is hashed each time. */
const MAX_RECENT = 10_000;

/** A token as it is stored. */
export interface StoredToken {
  readonly caller: Caller;
  readonly expiresAt: number | null;
}

/** Finds a token by its hash; null when it does not exist, was revoked or has expired. */
export type FindToken = (hash: Buffer) => Promise<StoredToken | null>;

export interface TokenVerifierOptions {
  /** Entries, of known and unknown tokens together. The least recently used one is evicted. */
  readonly capacity?: number;
  /** How long a revocation may take to have effect. */
  readonly knownMs?: number;
  /** How long a new token may be refused after a request with it that came too early. */
  readonly unknownMs?: number;
  /** How long a verified token stays valid while the database is unreachable. */
  readonly graceMs?: number;
  readonly now?: () => number;
}

interface Verified {
  readonly token: StoredToken | null;
  readonly at: number;
}

/** Verifies API tokens against the database, and remembers the answers for a short while. */
export class TokenVerifier {
  private readonly verified: LRUCache<string, Verified>;
  private readonly inFlight = new Map<string, Promise<StoredToken | null>>();
  private readonly recent = new Map<string, { readonly caller: Caller; readonly until: number }>();
  private recentSince = 0;
  /** When the verification of the token that `verify` found last expires. */
  private goodUntil = 0;
  private readonly knownMs: number;
  private readonly unknownMs: number;
  private readonly graceMs: number;
  private readonly now: () => number;

  constructor(
    private readonly key: Buffer,
    private readonly find: FindToken,
    options: TokenVerifierOptions = {},
  ) {
    this.verified = new LRUCache({ max: options.capacity ?? 20_000 });
    this.knownMs = options.knownMs ?? 10_000;
    this.unknownMs = options.unknownMs ?? 2_000;
    this.graceMs = options.graceMs ?? 60_000;
    this.now = options.now ?? Date.now;
  }

  /**
   * {@link verify} of an Authorization header. The headers of recent verifications are remembered, so that they need
   * no hashing, for no longer than a verification is valid.
   * @param beforeLookup may throw, and so prevent a lookup in the database
   */
  verifyHeader(
    header: string | undefined,
    beforeLookup?: () => void,
  ): Caller | null | Promise<Caller | null> {
    if (header === undefined) return null;
    const now = this.now();
    if (now - this.recentSince >= this.knownMs) {
      this.recent.clear();
      this.recentSince = now;
    }
    const recent = this.recent.get(header);
    if (recent !== undefined && now < recent.until) return recent.caller;
    const token = BEARER.exec(header)?.[1];
    if (token === undefined) return null;
    const caller = this.verify(token, beforeLookup);
    if (caller !== null && !(caller instanceof Promise) && this.recent.size < MAX_RECENT) {
      this.recent.set(header, { caller, until: this.goodUntil });
    }
    return caller;
  }

  /** The caller; null for an invalid token. The result is a promise only when the database has to look it up. */
  verify(token: string, beforeLookup?: () => void): Caller | null | Promise<Caller | null> {
    if (!isApiToken(token)) return null;
    const hash = hashApiToken(this.key, token);
    const id = hash.toString('base64');
    const known = this.verified.get(id);
    if (
      known !== undefined &&
      this.now() - known.at < (known.token === null ? this.unknownMs : this.knownMs)
    ) {
      this.goodUntil = Math.min(known.at + this.knownMs, known.token?.expiresAt ?? Infinity);
      return this.unexpired(known.token);
    }
    if (known?.token === undefined || known.token === null) beforeLookup?.();
    return this.lookUp(id, hash, known);
  }

  private async lookUp(id: string, hash: Buffer, known: Verified | undefined): Promise<Caller | null> {
    let lookup = this.inFlight.get(id);
    if (lookup === undefined) {
      lookup = this.find(hash).finally(() => this.inFlight.delete(id));
      this.inFlight.set(id, lookup);
    }
    try {
      const token = await lookup;
      this.verified.set(id, { token, at: this.now() });
      return this.unexpired(token);
    } catch (error) {
      if (known?.token && this.now() - known.at < this.graceMs) return this.unexpired(known.token);
      throw error;
    }
  }

  private unexpired(token: StoredToken | null): Caller | null {
    if (token === null || (token.expiresAt !== null && token.expiresAt <= this.now())) return null;
    return token.caller;
  }
}
