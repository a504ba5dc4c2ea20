// A service of its own process, for the tests of signals: an HTTP gateway or an RPC service, by its argument.
import { Module } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { natsEnv, opsEnv, postgresEnv, telemetryEnv } from '@novacron/config/fragments';
import { port } from '@novacron/config/settings';
import { DrainCoordinator } from '@novacron/service-kit/drain';
import { runService } from '@novacron/service-kit/run';

const common = { ...opsEnv, ...telemetryEnv, ...natsEnv };

function addRoutes({ httpAdapter }, drain) {
  const fastify = httpAdapter.getInstance();
  fastify.addHook('onRequest', async (request) => process.stdout.write(`begun ${request.url}\n`));
  fastify.get('/quick', async () => ({ quick: true }));
  // Answers when the test sends the signal.
  fastify.get(
    '/slow',
    async () => new Promise((resolve) => process.once('SIGUSR2', () => resolve({ slow: true }))),
  );
  fastify.get(
    '/wait',
    async () =>
      new Promise((resolve) => drain.signal.addEventListener('abort', () => resolve({ waited: true }))),
  );
  fastify.get('/reject', async () => {
    void Promise.reject(new Error('not handled'));
    return {};
  });
}

class HttpModule {}
Module({
  providers: [{ provide: 'routes', useFactory: addRoutes, inject: [HttpAdapterHost, DrainCoordinator] }],
})(HttpModule);

class RpcModule {}
Module({})(RpcModule);

if (process.argv[2] === 'http') {
  await runService({
    name: 'gateway',
    settings: { ...common, http: { port: port('NOVACRON_HTTP_PORT') } },
    http: ({ http }) => ({ host: '127.0.0.1', port: http.port }),
    module: HttpModule,
  });
} else {
  await runService({
    name: 'orchestrator',
    settings: { ...common, ...postgresEnv },
    postgres: { schema: 'orchestrator', migrations: [] },
    module: RpcModule,
  });
}
