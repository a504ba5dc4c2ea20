import { ServiceError } from '@novacron/contracts/errors';
import { WAIT_LIMITS } from '../config.js';
import type { Caller } from '../reads/caller.js';

/** Waits at one time in this process. */
export interface WaitLimits {
  readonly perToken: number;
  readonly perTenant: number;
  /** Of all tenants together. The rest of the process' capacity stays free for ordinary requests. */
  readonly total: number;
}

/** Frees a wait's slot when the wait ends. A second call does nothing. */
export type Release = () => void;

const RETRY_AFTER_MS = 2_000;

/** Limits waits, which do not count against the rate limit: by token, by tenant, and in total. */
export class WaitSlots {
  readonly #byToken = new Map<string, number>();
  readonly #byTenant = new Map<string, number>();
  #total = 0;

  constructor(private readonly limits: WaitLimits = WAIT_LIMITS) {}

  /** Waits in progress. */
  get taken(): number {
    return this.#total;
  }

  /** @throws ServiceError `too_many_waits` beyond the caller's limits, `overloaded` beyond the process' limit */
  take(caller: Caller): Release {
    const refusal = this.#refusal(caller);
    if (refusal !== null) throw refusal;
    return this.#occupy(caller);
  }

  /** As {@link take}; null where `take` throws. */
  tryTake(caller: Caller): Release | null {
    return this.#refusal(caller) === null ? this.#occupy(caller) : null;
  }

  #refusal({ credentialId, tenantId }: Caller): ServiceError | null {
    const { perToken, perTenant, total } = this.limits;
    const later = { retryAfterMs: RETRY_AFTER_MS };
    if ((this.#byToken.get(credentialId) ?? 0) >= perToken)
      return new ServiceError('too_many_waits', `This token has ${perToken} waits at a time.`, later);
    if ((this.#byTenant.get(tenantId) ?? 0) >= perTenant)
      return new ServiceError('too_many_waits', `This tenant has ${perTenant} waits at a time.`, later);
    if (this.#total >= total)
      return new ServiceError('overloaded', `This instance has ${total} waits at a time.`, later);
    return null;
  }

  #occupy({ credentialId, tenantId }: Caller): Release {
    change(this.#byToken, credentialId, 1);
    change(this.#byTenant, tenantId, 1);
    this.#total += 1;
    let released = false;
    return () => {
      if (released) return;
      released = true;
      change(this.#byToken, credentialId, -1);
      change(this.#byTenant, tenantId, -1);
      this.#total -= 1;
    };
  }
}

function change(counts: Map<string, number>, name: string, by: number): void {
  const count = (counts.get(name) ?? 0) + by;
  if (count === 0) counts.delete(name);
  else counts.set(name, count);
}
