import type { DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { httpTelemetry } from '@novacron/telemetry/http';
import type { FastifyHttpOptions, FastifyInstance } from 'fastify';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { nestOptions } from './apps.js';
import { CONNECTION_LIMITS, Connections, type ConnectionLimits } from './connections.js';
import type { ServiceContext } from './context.js';
import { LastRequests } from './last-requests.js';

export interface HttpSpec<Context> {
  /** Where to listen, read off the service's configuration; port 0 is any free one. */
  readonly listen: (context: Context) => { readonly host: string; readonly port: number };
  /** On top of the guide's timeouts and limits, which are there already. */
  readonly options?: (context: Context) => FastifyHttpOptions<Server>;
  /** Hooks, parsers, plain Fastify routes: called before Nest adds its own. */
  readonly prepare?: (fastify: FastifyInstance, context: Context) => Promise<void> | void;
  /** What connections may take; CONNECTION_LIMITS unless told. */
  readonly limits?: (context: Context) => ConnectionLimits;
  /** Whether many clients come from this address: it has no limit of its own. */
  readonly isShared?: (context: Context) => (address: string) => boolean;
  /** Nest's own body parsers; false when `prepare` adds others. Default true. */
  readonly bodyParser?: boolean;
}

/** The guide's numbers: header 5 s, read 10 s, idle 120 s. */
const GUIDE: FastifyHttpOptions<Server> = {
  requestTimeout: 10_000,
  keepAliveTimeout: 120_000,
  // A drain answers what is in flight and what still arrives on open connections.
  forceCloseConnections: false,
  return503OnClosing: false,
};

/** A Nest application on Fastify, measured and traced, which answers all that it took before it closes. */
export async function httpApp<Context extends ServiceContext>(
  context: Context,
  module: DynamicModule,
  spec: HttpSpec<Context>,
): Promise<{ app: NestFastifyApplication; port: number }> {
  const limits = spec.limits?.(context) ?? CONNECTION_LIMITS;
  const http = { headersTimeout: 5_000, maxHeaderSize: limits.headBytes, connectionsCheckingInterval: 1_000 };
  const adapter = new FastifyAdapter({ ...GUIDE, http, ...spec.options?.(context) });
  const fastify = adapter.getInstance() as unknown as FastifyInstance;
  httpTelemetry(fastify, context.logger);
  closeConnectionsOnDrain(fastify, context.drain.signal);
  await spec.prepare?.(fastify, context);
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, {
    ...nestOptions(context),
    bodyParser: spec.bodyParser ?? true,
  });
  context.drain.add('http', 'server', () => app.close());
  const last = new LastRequests(fastify.server);
  context.drain.add('http', 'connections', () => last.end());
  new Connections(fastify.server, limits, spec.isShared?.(context));
  const { host, port } = spec.listen(context);
  await app.listen(port, host);
  return { app, port: (app.getHttpServer().address() as AddressInfo).port };
}

/** Tells clients on kept-alive connections to open their next one elsewhere. */
function closeConnectionsOnDrain(fastify: FastifyInstance, draining: AbortSignal): void {
  fastify.addHook('onSend', (_request, reply, payload, done) => {
    if (draining.aborted) void reply.header('connection', 'close');
    done(null, payload);
  });
}
