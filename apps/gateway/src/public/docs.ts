import swagger, { type StaticDocumentSpec } from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { RateLimits } from '../limits/rate-limits.js';
import { apiDocument } from './api-document.js';
import { MUST_REVALIDATE } from './cache-control.js';

const document = apiDocument as StaticDocumentSpec['document'];
const CONTENT_SECURITY_POLICY = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'";

/** Serves Swagger UI at /docs. The page loads all of its files from the gateway, so it works offline. */
@Injectable()
export class Docs implements OnModuleInit {
  constructor(
    private readonly adapterHost: HttpAdapterHost<FastifyAdapter>,
    private readonly limits: RateLimits,
  ) {}

  onModuleInit(): void {
    const fastify = this.adapterHost.httpAdapter.getInstance() as unknown as FastifyInstance;
    void fastify.register(async (docs) => {
      docs.addHook('onRequest', async (request) => {
        request.bucket = this.limits.takeAnonymous(request.ip);
      });
      docs.addHook('onSend', async (_request, reply) => {
        if (reply.statusCode < 400) reply.header('Cache-Control', MUST_REVALIDATE);
      });
      await docs.register(swagger, { mode: 'static', specification: { document } });
      await docs.register(swaggerUi, {
        routePrefix: '/docs',
        staticCSP: CONTENT_SECURITY_POLICY,
        uiConfig: { persistAuthorization: true },
      });
    });
  }
}
