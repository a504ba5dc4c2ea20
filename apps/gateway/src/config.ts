import {
  metricTimesEnv,
  natsEnv,
  opsEnv,
  postgresEnv,
  redisEnv,
  telemetryEnv,
} from '@novacron/config/fragments';
import type { Config } from '@novacron/config/load';
import { hexKey, integer, networks, origins, port, text } from '@novacron/config/settings';

/** Waits of one process at a time, by default. */
export const WAIT_LIMITS = { perToken: 200, perTenant: 500, total: 2_000 } as const;

/** Everything that the gateway reads from its environment. */
export const settings = {
  ...natsEnv,
  ...postgresEnv,
  ...redisEnv,
  ...opsEnv,
  ...telemetryEnv,
  ...metricTimesEnv,
  http: {
    host: text('NOVACRON_HTTP_HOST', '127.0.0.1'),
    port: port('NOVACRON_HTTP_PORT', 8080),
    /**
     * The proxies whose X-Forwarded-For is trusted. Not a number of hops: a client that reaches the gateway past them
     * could then claim any address.
     */
    trustedProxies: networks('NOVACRON_TRUSTED_PROXIES'),
    /** The origins whose pages may call the API from a browser. */
    corsOrigins: origins('NOVACRON_CORS_ORIGINS'),
    /** Of one request, request line included. The guide's 1 MB is the maximum. */
    maxHeaderKiB: integer('NOVACRON_HTTP_MAX_HEADER_KIB', { min: 8, max: 1_024 }, 64),
    maxConnections: integer('NOVACRON_HTTP_MAX_CONNECTIONS', { min: 10, max: 1_000_000 }, 10_000),
    /** Trusted proxies have no limit of their own. */
    maxConnectionsPerAddress: integer(
      'NOVACRON_HTTP_MAX_CONNECTIONS_PER_ADDRESS',
      { min: 1, max: 1_000_000 },
      2_000,
    ),
  },
  cache: {
    /** The memory that cached answers may take in this process, MiB. */
    maxMiB: integer('NOVACRON_CACHE_MAX_MIB', { min: 1, max: 65_536 }, 64),
  },
  /** Waits that this process has at one time. */
  waits: {
    perToken: integer('NOVACRON_WAITS_PER_TOKEN', { min: 1, max: 100_000 }, WAIT_LIMITS.perToken),
    perTenant: integer('NOVACRON_WAITS_PER_TENANT', { min: 1, max: 100_000 }, WAIT_LIMITS.perTenant),
    total: integer('NOVACRON_WAITS_TOTAL', { min: 1, max: 100_000 }, WAIT_LIMITS.total),
  },
  keys: {
    /** Signs consistency tokens; one for all gateways. */
    consistency: hexKey('NOVACRON_CONSISTENCY_KEY', 32),
    /** Hashes API tokens. A new key invalidates every token. */
    tokenHash: hexKey('NOVACRON_TOKEN_HASH_KEY', 32),
  },
};

export type GatewayConfig = Config<typeof settings>;
