import { CONNECTION_LIMITS } from '@novacron/service-kit/connections';
import type { ServiceSpec } from '@novacron/service-kit/run';
import { AppModule } from './app.module.js';
import { settings } from './config.js';
import { addressMatcher } from './http/address-matcher.js';
import { GatewayAdapter } from './http/gateway-adapter.js';
import { trusting } from './http/server-options.js';
import { migrations } from './migrations/all.js';

/** The gateway as a service: its dependencies, its server and its module. */
export const gatewayService: ServiceSpec<typeof settings> = {
  name: 'gateway',
  settings,
  postgres: { schema: 'gateway', migrations },
  module: AppModule,
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
    adapter: GatewayAdapter,
  }),
};
