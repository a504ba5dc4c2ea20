import {
  Catch,
  Module,
  NotFoundException,
  type ArgumentsHost,
  type DynamicModule,
  type ExceptionFilter,
} from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '@novacron/contracts/errors';
import type { Edge } from './http/edge.js';

/**
 * Nest around the plain Fastify routes of `http.ts`: controllers that are not hot may be added here. What Nest
 * itself refuses is answered like everything else.
 */
@Module({})
export class GatewayModule {
  static with(edge: () => Edge): DynamicModule {
    return {
      module: GatewayModule,
      providers: [{ provide: APP_FILTER, useFactory: () => new ProblemFilter(edge) }],
    };
  }
}

@Catch()
class ProblemFilter implements ExceptionFilter {
  constructor(private readonly edge: () => Edge) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const seen =
      error instanceof NotFoundException ? new ServiceError('not_found', 'There is no such route.') : error;
    this.edge().fail(http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>(), seen);
  }
}
