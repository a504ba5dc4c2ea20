import { Catch, HttpException, Injectable, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type ErrorCode, ServiceError } from '@novacron/contracts/errors';
import { Problems } from './problems.js';

/** Answers every error, of a handler, a guard, a pipe or Fastify itself, as problem+json. */
@Catch()
@Injectable()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly problems: Problems) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const thrown = error instanceof HttpException ? refusal(error) : error;
    this.problems.send(host.getArgByIndex<FastifyRequest>(0), host.getArgByIndex<FastifyReply>(1), thrown);
  }
}

const CODES: Readonly<Record<number, ErrorCode>> = {
  403: 'not_found',
  404: 'not_found',
  412: 'precondition_failed',
};

/** Requests that Fastify or a plugin refuses: a path outside the static files, a range beyond the end of a file. */
function refusal(error: HttpException): Error {
  const status = error.getStatus();
  if (status >= 500) return error;
  return new ServiceError(CODES[status] ?? 'malformed_request', 'The request cannot be served.', {
    cause: error,
  });
}
