import {
  Catch,
  Injectable,
  NotFoundException,
  type ArgumentsHost,
  type ExceptionFilter,
  type OnModuleInit,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type {} from '@novacron/telemetry/http';
import { ServiceError } from '@novacron/contracts/errors';
import { operations } from '@novacron/contracts/operations/all';
import { WrongFields } from '@novacron/contracts/validation';
import { RequestConsistency } from '../consistency/consistency.js';
import { Problems } from '../http/problems.js';
import { RateLimits } from '../limits/rate-limits.js';
import { Authentication } from './authentication.js';

/** The paths that need no token. */
export const PUBLIC_PATHS = ['/', '/health', '/ready', '/openapi.json', '/docs', '/favicon.ico'] as const;

const OFFERS = [
  ...operations.map(({ path, method }) => ({ path, method: method as string })),
  ...PUBLIC_PATHS.map((path) => ({ path, method: 'GET' })),
].map(({ path, method }) => ({
  method,
  pattern: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
}));

/**
 * Answers requests without a route: 401 without a token, 405 where the path has other methods, otherwise 404. It answers
 * before the body is read. As a filter it also answers the requests that Nest does not pass to their route: those with
 * an empty path parameter, before any guard, and those whose target is not a path, before any hook of ours.
 */
@Catch(NotFoundException)
@Injectable()
export class UnroutedRequests implements OnModuleInit, ExceptionFilter {
  constructor(
    private readonly adapterHost: HttpAdapterHost<FastifyAdapter>,
    private readonly authentication: Authentication,
    private readonly limits: RateLimits,
    private readonly consistency: RequestConsistency,
    private readonly problems: Problems,
  ) {}

  onModuleInit(): void {
    this.adapterHost.httpAdapter.getInstance().addHook('onRequest', (request, reply, done) => {
      if (request.is404) void this.#answer(request, reply);
      else done();
    });
  }

  catch(_error: unknown, host: ArgumentsHost): void {
    const request = host.getArgByIndex<FastifyRequest>(0);
    const reply = host.getArgByIndex<FastifyReply>(1);
    if (!reply.hasHeader('X-Request-Id')) request.server.observeUnrouted(request, reply);
    // Swagger UI has counted a request for a file that it does not have.
    if (request.bucket) this.problems.send(request, reply, noRoute());
    else void this.#answer(request, reply);
  }

  async #answer(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    try {
      this.limits.take(await this.authentication.authenticate(request));
      this.#takePosition(request);
      requireParameters(request);
      const path = plainPath(request.url);
      // Fastify offers HEAD with every GET.
      const offered = OFFERS.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);
      const allowed = [
        ...new Set(offered.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : method))),
      ];
      if (allowed.length === 0) throw noRoute();
      reply.header('Allow', allowed.join(', '));
      throw new ServiceError('method_not_allowed', `Offered here: ${allowed.join(', ')}.`);
    } catch (error) {
      this.problems.send(request, reply, error);
    }
  }

  /** A good consistency token returns with the answer; a bad one does not change the answer. */
  #takePosition(request: FastifyRequest): void {
    try {
      this.consistency.takePresented(request);
    } catch (error) {
      if (!(error instanceof ServiceError) || error.code !== 'invalid_token') throw error;
    }
  }
}

function noRoute(): ServiceError {
  return new ServiceError('not_found', 'There is no such route.');
}

/** @throws ServiceError `invalid_request` that names the empty parameters of the route */
function requireParameters({ params }: FastifyRequest): void {
  const wrong = new WrongFields();
  for (const [name, value] of Object.entries(params ?? {}))
    if (value === '' && name !== '*') wrong.addField(['/path', name], 'must not be empty');
  if (wrong.total > 0) throw wrong.error();
}

/** The path as the router compares it: without query and trailing slash, percent-decoded. */
function plainPath(url: string): string {
  const path = (url.split('?')[0] as string).replace(/(?<=.)\/$/, '');
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
