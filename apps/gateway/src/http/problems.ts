import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ServiceError } from '@novacron/contracts/errors';
import { PROBLEM_TYPE } from '@novacron/contracts/problem';
import { ServiceLogger } from '@novacron/service-kit/inject';
import type { Logger } from '@novacron/telemetry/logger';
import { RequestConsistency } from '../consistency/consistency.js';
import { RateLimits } from '../limits/rate-limits.js';
import { writeRateHeaders } from '../limits/rate-headers.js';
import { answerHeaders } from './answer.js';
import { isLargeRest } from './body-budget.js';
import { asServiceError, retryAfterSeconds, toProblem } from './problem.js';

/** Answers errors as problem+json (RFC 9457): the only place where errors become HTTP. */
@Injectable()
export class Problems {
  constructor(
    private readonly consistency: RequestConsistency,
    private readonly limits: RateLimits,
    @ServiceLogger() private readonly logger: Logger,
  ) {}

  /** Answers an error, with the consistency token of the position that the request has reached. */
  send(request: FastifyRequest, reply: FastifyReply, thrown: unknown): void {
    const error = asServiceError(thrown);
    this.#log(request, error);
    if (isLargeRest(request)) reply.header('Connection', 'close');
    const bucket = error.code === 'rate_limited' ? this.limits.of(request.caller) : undefined;
    if (bucket !== undefined) writeRateHeaders(reply, bucket);
    const problem = toProblem(error, request.id);
    const fields = answerHeaders(this.consistency.endFailed(request, error), undefined, undefined);
    for (let i = 0; i < fields.length; i += 2) reply.header(fields[i] as string, fields[i + 1]);
    // The hook that sets it has not run for a path that the router cannot read.
    reply.header('X-Request-Id', request.id);
    const retryAfter = retryAfterSeconds(error);
    if (retryAfter !== undefined) reply.header('Retry-After', String(retryAfter));
    if (error.code === 'unauthenticated') reply.header('WWW-Authenticate', 'Bearer realm="novacron"');
    // As bytes: to a string Fastify adds a charset, which the media type does not have.
    void reply
      .code(problem.status)
      .type(PROBLEM_TYPE)
      .send(Buffer.from(JSON.stringify(problem)));
  }

  /** Answers a request without a verified caller, and counts it against its address. */
  refuse(request: FastifyRequest, reply: FastifyReply, error: Error): void {
    try {
      this.limits.takeAnonymous(request.ip);
      this.send(request, reply, error);
    } catch (limited) {
      this.send(request, reply, limited);
    }
  }

  #log(request: FastifyRequest, error: ServiceError): void {
    if (error.code !== 'internal' && error.code !== 'dependency_down') return;
    const fields = {
      requestId: request.id,
      method: request.method,
      endpoint: request.routeOptions.url,
      client: request.ip,
      err: error.cause ?? error,
    };
    if (error.code === 'internal') this.logger.error(fields, 'request failed unexpectedly');
    else this.logger.warn(fields, error.detail);
  }
}
