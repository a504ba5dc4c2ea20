import type { DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { httpTelemetry } from '@novacron/telemetry/http';
import type { FastifyHttpOptions, FastifyInstance } from 'fastify';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { closeOnDrain, nestOptions } from './apps.js';
import { CONNECTION_LIMITS, Connections, type ConnectionLimits } from './connections.js';
import type { KitOptions } from './kit-module.js';
import { LastRequests } from './last-requests.js';

/** What an HTTP service reads off its configuration before there is a server. */
export interface HttpOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** In addition to the guide's timeouts and limits. */
  readonly server?: FastifyHttpOptions<Server>;
  /** What connections may take; default CONNECTION_LIMITS. */
  readonly limits?: ConnectionLimits;
  /** Whether many clients share this address: it has no limit of its own. */
  readonly isShared?: (address: string) => boolean;
  /** Nest's own body parsers; false when a module adds others. Default true. */
  readonly bodyParser?: boolean;
  /** The service's own subclass of the adapter. */
  readonly adapter?: new (server: object) => FastifyAdapter;
}

/** The guide's numbers: header 5 s, read 10 s, idle 120 s. */
const GUIDE: FastifyHttpOptions<Server> = {
  requestTimeout: 10_000,
  keepAliveTimeout: 120_000,
  // A drain answers what is in flight and what still arrives on open connections.
  forceCloseConnections: false,
  return503OnClosing: false,
};

/** A Nest application on Fastify, measured and traced. It answers every request that it has accepted before it closes. */
export async function httpApp(
  kit: KitOptions,
  module: DynamicModule,
  options: HttpOptions,
): Promise<{ app: NestFastifyApplication; port: number }> {
  const { limits = CONNECTION_LIMITS, bodyParser = true, adapter: Adapter = FastifyAdapter } = options;
  const http = { headersTimeout: 5_000, maxHeaderSize: limits.headBytes, connectionsCheckingInterval: 1_000 };
  // Modules use guards and Fastify's hooks, so Nest's middleware, which costs a hook per request, is left out.
  const adapter = new Adapter({ ...GUIDE, http, ...options.server, skipMiddie: true });
  const fastify = adapter.getInstance() as unknown as FastifyInstance;
  httpTelemetry(fastify, kit.logger);
  closeConnectionsOnDrain(fastify, kit.drain.signal);
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, {
    ...nestOptions(kit),
    bodyParser,
  });
  closeOnDrain(app, kit.drain, 'http', 'server');
  const last = new LastRequests(fastify.server);
  kit.drain.add('http', 'connections', () => last.end());
  new Connections(fastify.server, limits, options.isShared);
  await app.listen(options.port, options.host);
  return { app, port: (app.getHttpServer().address() as AddressInfo).port };
}

/** Tells clients on kept-alive connections to open their next one elsewhere. */
function closeConnectionsOnDrain(fastify: FastifyInstance, draining: AbortSignal): void {
  fastify.addHook('onSend', (_request, reply, payload, done) => {
    if (draining.aborted) void reply.header('connection', 'close');
    done(null, payload);
  });
}
