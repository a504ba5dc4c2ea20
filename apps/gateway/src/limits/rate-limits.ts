import { ServiceError } from '@novacron/contracts/errors';
import { isIPv6 } from 'node:net';
import { BoundedMap } from '../reads/bounded-map.js';
import type { Caller } from '../reads/caller.js';
import { TokenBucket } from './token-bucket.js';

/** Of an address that shows no good token: a burst, and so many a minute. */
export interface AddressLimit {
  readonly burst: number;
  readonly perMinute: number;
}

const ADDRESS: AddressLimit = { burst: 50, perMinute: 100 };
/** Callers and addresses that are remembered; the ones that were not seen for longest start afresh. */
const REMEMBERED = 20_000;

/**
 * How often who may ask. Counted in this process, so that no request waits for it; `share-limits.ts` makes the
 * gateways' counts one, ten times a second.
 */
export class RateLimits {
  readonly #tokens = new BoundedMap<string, TokenBucket>(REMEMBERED);
  /** Without looking anything up, for as long as a verification counts. */
  readonly #byCaller = new WeakMap<Caller, TokenBucket>();
  readonly #addresses = new BoundedMap<string, TokenBucket>(REMEMBERED);
  /** What was taken from since the shared count heard of it, by its name there. */
  #untold = new Map<string, TokenBucket>();

  constructor(
    private readonly address: AddressLimit = ADDRESS,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /**
   * Counts a request of a caller.
   * @returns null for who has no limit
   * @throws ServiceError `rate_limited`
   */
  take(caller: Caller): TokenBucket | null {
    if (caller.ratePerSecond === null) return null;
    const now = this.now();
    return this.#take(caller.credentialId, this.#byCaller.get(caller) ?? this.#open(caller, now), now);
  }

  /** What is left to a caller who was counted lately and has a limit. */
  of(caller: Caller | null): TokenBucket | undefined {
    return caller === null ? undefined : this.#tokens.get(caller.credentialId);
  }

  /**
   * Counts a request that shows no good token.
   * @throws ServiceError `rate_limited`
   */
  takeAnonymous(address: string): TokenBucket {
    const who = neighbourhood(address);
    const now = this.now();
    let bucket = this.#addresses.get(who);
    if (bucket === undefined) {
      const { burst, perMinute } = this.address;
      bucket = new TokenBucket('address', burst, perMinute / 60, now);
      this.#addresses.set(who, bucket);
    }
    return this.#take(who, bucket, now);
  }

  /**
   * Before the database is asked for a token that nobody here knows: an address that has used up what it has
   * without a token may not make work with made-up ones.
   * @throws ServiceError `rate_limited`
   */
  refuseSpent(address: string): void {
    const bucket = this.#addresses.get(neighbourhood(address));
    if (bucket?.spent(this.now()) === true) throw refused(bucket);
  }

  /** What was taken from since the last call, at most so many; the others wait for the next one. */
  untold(most: number): (readonly [name: string, bucket: TokenBucket])[] {
    const some = [...this.#untold].slice(0, most);
    if (some.length === this.#untold.size) this.#untold = new Map();
    else for (const [name] of some) this.#untold.delete(name);
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
    if (bucket.untold === 1 || !taken) this.#remember(name, bucket);
    if (taken) return bucket;
    throw refused(bucket);
  }

  #remember(name: string, bucket: TokenBucket): void {
    if (this.#untold.size < REMEMBERED) this.#untold.set(`${bucket.name}:${name}`, bucket);
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
