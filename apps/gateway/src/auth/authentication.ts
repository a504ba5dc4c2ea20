import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { ServiceError } from '@novacron/contracts/errors';
import { RequestConsistency } from '../consistency/consistency.js';
import { RateLimits } from '../limits/rate-limits.js';
import type { Caller } from '../reads/caller.js';
import { TokenVerifier } from './token-verifier.js';

/** Identifies the caller of a request by its Authorization header. */
@Injectable()
export class Authentication {
  constructor(
    private readonly verifier: TokenVerifier,
    private readonly limits: RateLimits,
    private readonly consistency: RequestConsistency,
  ) {}

  /**
   * Sets `request.caller`, and the position at which they continue. The result is a promise only when the token has to be looked up.
   * @throws ServiceError `unauthenticated`, or `rate_limited` for an address without a good token
   */
  authenticate(request: FastifyRequest): Caller | Promise<Caller> {
    const found = this.verifier.verifyHeader(request.headers.authorization, () =>
      this.limits.refuseSpent(request.ip),
    );
    return found instanceof Promise
      ? found.then((caller) => this.#identify(request, caller))
      : this.#identify(request, found);
  }

  #identify(request: FastifyRequest, caller: Caller | null): Caller {
    if (caller !== null) {
      this.consistency.resume(request, caller);
      return (request.caller = caller);
    }
    this.limits.takeAnonymous(request.ip);
    const missing = request.headers.authorization === undefined;
    throw new ServiceError(
      'unauthenticated',
      missing ? 'Send Authorization: Bearer <token>.' : 'The token is not valid.',
    );
  }
}
