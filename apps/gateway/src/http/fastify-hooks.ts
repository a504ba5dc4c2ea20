import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '@novacron/contracts/errors';
import { ServiceConfig, ServiceLogger } from '@novacron/service-kit/inject';
import type { Logger } from '@novacron/telemetry/logger';
import type {} from '@novacron/telemetry/http';
import type { GatewayConfig } from '../config.js';
import { compressAnswers } from './compression.js';
import { allowOrigins } from './cors.js';
import { Problems } from './problems.js';
import { repeatedHeader } from './repeated-header.js';
import { decorateRequests } from './request.js';

declare module 'fastify' {
  interface FastifyInstance {
    refuseUnrouted(request: FastifyRequest, reply: FastifyReply, error: Error): void;
  }
}

/** Adds what holds for every request, with a route or without: X-Request-Id, CORS, compression. */
@Injectable()
export class FastifyHooks implements OnModuleInit {
  constructor(
    private readonly adapterHost: HttpAdapterHost<FastifyAdapter>,
    private readonly problems: Problems,
    @ServiceConfig() private readonly config: GatewayConfig,
    @ServiceLogger() private readonly logger: Logger,
  ) {}

  onModuleInit(): void {
    const fastify = this.adapterHost.httpAdapter.getInstance() as unknown as FastifyInstance;
    decorateRequests(fastify);
    leaveBodiesUnread(fastify);
    fastify.addHook('onRequest', (request, reply, done) => {
      reply.header('X-Request-Id', request.id);
      const repeated = repeatedHeader(request.raw.rawHeaders);
      if (repeated === undefined) done();
      else
        this.problems.refuse(
          request,
          reply,
          new ServiceError('malformed_request', `${repeated} was sent twice.`),
        );
    });
    fastify.decorate('refuseUnrouted', this.#refuseUnrouted.bind(this));
    compressAnswers(fastify);
    allowOrigins(fastify, this.config.http.corsOrigins);
  }

  /** Answers, counts and logs a request that Fastify refuses before any hook: its path is not a URL. */
  #refuseUnrouted(request: FastifyRequest, reply: FastifyReply, error: Error): void {
    request.server.observeUnrouted(request, reply);
    Object.assign(request, { operation: null, caller: null, position: null, requester: null });
    this.logger.info({ requestId: request.id, client: request.ip, err: error }, 'request not routed');
    this.problems.refuse(request, reply, error);
  }
}

/** Fastify takes no method's body: guards admit a request before `BodyReader` reads its body. */
function leaveBodiesUnread(fastify: FastifyInstance): void {
  for (const method of fastify.supportedMethods)
    fastify.addHttpMethod(method, { hasBody: false, overrideExisting: true });
}
