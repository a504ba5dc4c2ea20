import { setTimeout as sleep } from 'node:timers/promises';
import { CONNECTION_LIMITS } from '@novacron/service-kit/connections';
import type { ServiceSpec } from '@novacron/service-kit/run';
import { settings } from './config.js';
import { addressMatcher } from './http/address-matcher.js';
import type { Edge } from './http/edge.js';
import { trusting } from './http/server-options.js';
import { GatewayModule } from './app.module.js';
import { serveHttp } from './http.js';
import { partsOf } from './parts.js';
import { migrations } from './migrations/all.js';

/**
 * Not ready, but still listening: what was sent to this instance before balancers and clients knew is in the
 * accept queue or half read, and closing the server at once would reset it.
 */
const ON_THEIR_WAY_MS = 300;

/** The gateway as a service: what it needs, and what it serves. */
export function gatewayService(): ServiceSpec<typeof settings> {
  let edge: Edge;
  return {
    name: 'gateway',
    settings,
    postgres: { schema: 'gateway', migrations },
    module: () => GatewayModule.with(() => edge),
    http: ({ http }) => ({
      host: http.host,
      port: http.port,
      server: trusting(http.trustedProxies),
      limits: {
        ...CONNECTION_LIMITS,
        headBytes: http.maxHeaderKiB * 1_024,
        connections: http.maxConnections,
        perAddress: http.maxConnectionsPerAddress,
      },
      isShared: addressMatcher(http.trustedProxies),
      bodyParser: false,
    }),
    prepare: async (fastify, context) => {
      edge = serveHttp(fastify, await partsOf(context));
      context.drain.add('consumers', 'requests on their way', () => sleep(ON_THEIR_WAY_MS));
    },
  };
}
