// A service of its own process, for the tests of signals: an HTTP gateway or an RPC service, by its argument.
import { natsEnv, opsEnv, postgresEnv, telemetryEnv } from '@novacron/config/fragments';
import { port } from '@novacron/config/settings';
import { runService } from '@novacron/service-kit/run';

const empty = { module: class Empty {} };
const common = { ...opsEnv, ...telemetryEnv, ...natsEnv };

if (process.argv[2] === 'http') {
  await runService({
    name: 'gateway',
    settings: { ...common, http: { port: port('NOVACRON_HTTP_PORT') } },
    http: {
      listen: ({ config }) => ({ host: '127.0.0.1', port: config.http.port }),
      prepare: (fastify, { drain }) => {
        fastify.addHook('onRequest', async (request) => process.stdout.write(`begun ${request.url}\n`));
        fastify.get('/quick', async () => ({ quick: true }));
        // It takes until the test says so.
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
          void Promise.reject(new Error('nobody handles this'));
          return {};
        });
      },
    },
    module: () => empty,
  });
} else {
  await runService({
    name: 'orchestrator',
    settings: { ...common, ...postgresEnv },
    postgres: { schema: 'orchestrator', migrations: [] },
    module: () => empty,
    onStart: ({ drain }) => {
      if (process.env.HANG === '1') drain.add('consumers', 'hangs', () => new Promise(() => {}));
    },
  });
}
