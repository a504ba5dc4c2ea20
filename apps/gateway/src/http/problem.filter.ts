import {
  Catch,
  Injectable,
  NotFoundException,
  type ArgumentsHost,
  type ExceptionFilter,
} from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '@novacron/contracts/errors';
import { Problems } from './problems.js';

/** Answers every error, of a handler, a guard, a pipe or Fastify itself, as problem+json. */
@Catch()
@Injectable()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly problems: Problems) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const thrown =
      error instanceof NotFoundException ? new ServiceError('not_found', 'There is no such route.') : error;
    this.problems.send(host.getArgByIndex<FastifyRequest>(0), host.getArgByIndex<FastifyReply>(1), thrown);
  }
}
