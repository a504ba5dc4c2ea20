import { ServiceError } from '@novacron/contracts/errors';
import { isIPv6 } from 'node:net';
import { LRUCache } from 'lru-cache';
import type { Caller } from '../reads/caller.js';
import { TokenBucket } from './token-bucket.js';

/** The limit of an address without a good token: a burst, and then so many a minute. */
export interface AddressLimit {
  readonly burst: number;
  readonly perMinute: number;
}

const ADDRESS: AddressLimit = { burst: 50, perMinute: 100 };
/** Callers and addresses that are remembered; the least recently used ones start afresh. */
const REMEMBERED = 20_000;

/**
 * The request rates of tokens and addresses. They are counted in this process, so that no request waits for the count.
 * `LimitSharing` reconciles the gateways' counts ten times a second.
 */
export class RateLimits {
  readonly #tokens = new LRUCache<string, TokenBucket>({ max: REMEMBERED });
  /** By the caller's object: it is the same as long as a verification is valid. */
  readonly #byCaller = new WeakMap<Caller, TokenBucket>();
  readonly #addresses = new LRUCache<string, TokenBucket>({ max: REMEMBERED });
  /** Buckets with requests that the shared count does not contain yet, by their name there. */
  #unsynced = new Map<string, TokenBucket>();

  constructor(
    private readonly address: AddressLimit = ADDRESS,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /**
   * Counts a request of a caller.
   * @returns null for a caller without a limit
   * @throws ServiceError `rate_limited`
   */
  take(caller: Caller): TokenBucket | null {
    if (caller.ratePerSecond === null) return null;
    const now = this.now();
    return this.#take(caller.credentialId, this.#byCaller.get(caller) ?? this.#open(caller, now), now);
  }

  /** The bucket of a caller who was counted lately and has a limit. */
  of(caller: Caller | null): TokenBucket | undefined {
    return caller === null ? undefined : this.#tokens.get(caller.credentialId);
  }

  /**
   * Counts a request without a good token.
   * @throws ServiceError `rate_limited`
   */
  takeAnonymous(address: string): TokenBucket {
    const name = neighbourhood(address);
    const now = this.now();
    let bucket = this.#addresses.get(name);
    if (bucket === undefined) {
      const { burst, perMinute } = this.address;
      bucket = new TokenBucket('address', burst, perMinute / 60, now);
      this.#addresses.set(name, bucket);
    }
    return this.#take(name, bucket, now);
  }

  /**
   * Before the database looks up a token that this process does not know: an address that has used up its limit must
   * not cause work with made-up tokens.
   * @throws ServiceError `rate_limited`
   */
  refuseSpent(address: string): void {
    const bucket = this.#addresses.get(neighbourhood(address));
    if (bucket?.spent(this.now()) === true) throw refused(bucket);
  }

  /** Takes out at most so many unsynced buckets; the others wait for the next call. */
  drainUnsynced(most: number): (readonly [name: string, bucket: TokenBucket])[] {
    const some = [...this.#unsynced].slice(0, most);
    if (some.length === this.#unsynced.size) this.#unsynced = new Map();
    else for (const [name] of some) this.#unsynced.delete(name);
    return some;
  }

  #open(caller: Caller, now: number): TokenBucket {
    const { credentialId, ratePerSecond } = caller as Caller & { ratePerSecond: number };
    let bucket = this.#tokens.get(credentialId);
    if (bucket?.perSecond !== ratePerSecond) {
      bucket = new TokenBucket('token', ratePerSecond, ratePerSecond, now);
      this.#tokens.set(credentialId, bucket);
    }
    this.#byCaller.set(caller, bucket);
    return bucket;
  }

  #take(name: string, bucket: TokenBucket, now: number): TokenBucket {
    const taken = bucket.take(now);
    if (bucket.unsynced === 1 || !taken) this.#markUnsynced(name, bucket);
    if (taken) return bucket;
    throw refused(bucket);
  }

  #markUnsynced(name: string, bucket: TokenBucket): void {
    if (this.#unsynced.size < REMEMBERED) this.#unsynced.set(`${bucket.name}:${name}`, bucket);
  }
}

function refused(bucket: TokenBucket): ServiceError {
  const whose = bucket.name === 'token' ? 'this token' : 'this address without a token';
  const { retryAfterMs } = bucket;
  return new ServiceError('rate_limited', `Too many requests of ${whose}.`, { retryAfterMs });
}

/**
 * The one name of all addresses that a single client has: an IPv4 address, also one mapped into IPv6, or the /64 of an
 * IPv6 address. A proxy may write an address in any of its spellings (RFC 5952 §2).
 */
function neighbourhood(address: string): string {
  if (!isIPv6(address)) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped !== null) return mapped[1] as string;
  const [head, tail] = address.split('::') as [string, string?];
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const rest = tail === '' ? [] : tail.split(':');
    while (groups.length + rest.length < 8) groups.push('0');
    groups.push(...rest);
  }
  return groups
    .slice(0, 4)
    .map((group) => parseInt(group, 16).toString(16))
    .join(':');
}
