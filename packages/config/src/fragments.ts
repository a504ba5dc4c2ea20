/** Settings that several services share. A service spreads them into its own: `loadConfig({ ...natsEnv, … })`. */
import {
  address,
  decimal,
  flag,
  integer,
  matching,
  oneOf,
  optionalSecret,
  optionalUrl,
  port,
  secret,
  text,
  url,
  weightedAddresses,
} from './settings.js';

/** → `nats {url, user, password, streamReplicas}`. The inbox prefix is `_INBOX.<user>`. */
export const natsEnv = {
  nats: {
    url: url('NOVACRON_NATS_URL', ['nats:', 'tls:'], 'nats://127.0.0.1:4222'),
    user: matching(
      'NOVACRON_NATS_USER',
      /^[A-Za-z0-9_-]{1,128}$/,
      'letters, digits, _ and -, at most 128: it is part of subjects',
    ),
    password: secret('NOVACRON_NATS_PASSWORD'),
    /** Replicas of the streams that this service creates: 3 when NATS is a cluster of three. */
    streamReplicas: integer('NOVACRON_NATS_STREAM_REPLICAS', { min: 1, max: 5 }, 1),
  },
};

/**
 * → `postgres {primary, replicas, database, ownerPassword?, apiPassword, sysPassword, poolMax?, migrate}`.
 * The service's schema determines the names of the roles. With `migrate: false` a job of the deployment migrates, and
 * the owner's password is not needed.
 */
export const postgresEnv = {
  postgres: {
    primary: address('NOVACRON_PG_PRIMARY'),
    replicas: weightedAddresses('NOVACRON_PG_REPLICAS'),
    database: text('NOVACRON_PG_DATABASE', 'novacron'),
    ownerPassword: optionalSecret('NOVACRON_PG_OWNER_PASSWORD'),
    apiPassword: secret('NOVACRON_PG_API_PASSWORD'),
    sysPassword: secret('NOVACRON_PG_SYS_PASSWORD'),
    /** Connections of one pool of this process. */
    poolMax: integer('NOVACRON_PG_POOL_MAX', { min: 1, max: 50 }, 10),
    migrate: flag('NOVACRON_PG_MIGRATE', true),
  },
};

/** → `postgres {primary, database, ownerPassword}`, for a program that only migrates. */
export const migrationEnv = {
  postgres: {
    primary: postgresEnv.postgres.primary,
    database: postgresEnv.postgres.database,
    ownerPassword: secret('NOVACRON_PG_OWNER_PASSWORD'),
  },
};

/** → `redis {url}`. */
export const redisEnv = {
  // A Redis URL may carry a password, so an error must not show it.
  redis: { url: { ...url('NOVACRON_REDIS_URL', ['redis:', 'rediss:']), secret: true } },
};

/** → `metricTimes {retentionDays, futureMinutes}`: bounds of accepted points, equal in the gateway and in ingest. */
export const metricTimesEnv = {
  metricTimes: {
    /** Thirteen months, so that a month can be compared with the same month of the year before. */
    retentionDays: integer('NOVACRON_METRICS_RETENTION_DAYS', { min: 1, max: 3_650 }, 400),
    /** A point further in the future has the time of a wrong clock. */
    futureMinutes: integer('NOVACRON_METRICS_FUTURE_MINUTES', { min: 0, max: 10_080 }, 5),
  },
};

/**
 * → `ops {host, port}`: the listener of /health, /ready and /metrics. → `profiling {enabled, token?}`: whether it also
 * serves /profile/…, and the token that a caller needs.
 */
export const opsEnv = {
  ops: { host: text('NOVACRON_OPS_HOST', '127.0.0.1'), port: port('NOVACRON_OPS_PORT') },
  profiling: {
    enabled: flag('ENABLE_PROFILING', false),
    token: optionalSecret('NOVACRON_PROFILING_TOKEN'),
  },
};

/** → `telemetry {logLevel, traceRatio, otlpEndpoint?}`. Without an endpoint no span leaves the process. */
export const telemetryEnv = {
  telemetry: {
    logLevel: oneOf(
      'NOVACRON_LOG_LEVEL',
      ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
      'info',
    ),
    traceRatio: decimal('NOVACRON_TRACE_RATIO', { min: 0, max: 1 }, 0.01),
    otlpEndpoint: optionalUrl('OTEL_EXPORTER_OTLP_ENDPOINT', ['http:', 'https:']),
  },
};
