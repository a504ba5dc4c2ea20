import { Injectable, SetMetadata, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { RateLimits } from './rate-limits.js';
import { writeRateHeaders } from './rate-headers.js';

const UNCOUNTED = 'novacron:uncounted';

/** The rate limit does not count requests of this handler: probes. */
export const Uncounted = () => SetMetadata(UNCOUNTED, true);

/** Counts a request against its token, or against its address where no token is needed. */
@Injectable()
export class RateLimitGuard implements CanActivate {
  constructor(
    private readonly limits: RateLimits,
    private readonly reflector: Reflector,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.getArgByIndex<FastifyRequest>(0);
    const { caller, operation } = request;
    if (caller === null) {
      if (!this.reflector.get<boolean | undefined>(UNCOUNTED, context.getHandler()))
        this.limits.takeAnonymous(request.ip);
      return true;
    }
    // Waits and streams cost nothing: they are few connections, not many requests.
    if (operation?.longLived === true) return true;
    // The hot path has counted a request that it passed on.
    request.bucket ??= this.limits.take(caller);
    if (request.bucket !== null) writeRateHeaders(context.getArgByIndex<FastifyReply>(1), request.bucket);
    return true;
  }
}
