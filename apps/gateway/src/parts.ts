import { Cache } from '@novacron/cache/cache';
import { L2 } from '@novacron/cache/l2';
import { RedisConnection } from '@novacron/redis/connection';
import { changesOf } from '@novacron/cache/rules';
import type { ServiceContext } from '@novacron/service-kit/context';
import { retryUntilReady } from '@novacron/service-kit/dependencies';
import { Replication } from '@novacron/service-kit/replication';
import type { GatewayConfig } from './config.js';
import { ConsistencyTokens } from './consistency/consistency-token.js';
import { Positions } from './consistency/positions.js';
import { TokenVerifier } from './auth/token-verifier.js';
import type { HttpParts } from './http.js';
import { MetricsIntake } from './metrics/metrics-publisher.js';
import { PushTargets } from './metrics/push-targets.js';
import { checkPeers } from './gateway-readiness.js';
import { findTokenIn } from './auth/find-token.js';
import { exportCache } from './reads/cache-metrics.js';
import { listenForInvalidations } from './reads/invalidation-listener.js';
import { Reads } from './reads/reads.js';
import { RateLimits } from './limits/rate-limits.js';
import { shareLimits } from './limits/share-limits.js';
import { Changes } from './waits/changes.js';
import { ReadTurns } from './waits/read-turns.js';
import { WaitSlots } from './waits/wait-slots.js';

/** A gateway that has lost NATS for longer leaves writes and uncached reads to its peers, which may have it. */
const NATS_GRACE_MS = 30_000;

/** The gateway, put together from what the process has. */
export async function partsOf(context: ServiceContext<GatewayConfig>): Promise<HttpParts> {
  const { config, nc, js, api, sys, rpc, logger, drain, readiness } = context;
  const replication = new Replication(context.name, api, sys);
  const positions = new Positions();
  const cache = cacheOf(context);
  // What the L1 has is answered without any dependency, to callers whose token is known.
  readiness.serveWhile(() => cache.servesByItself(), { nats: NATS_GRACE_MS });
  checkPeers(readiness, nc);
  // So that the very first answer, whatever it is, can carry a consistency token.
  const { position } = await retryUntilReady(context, 'position', () =>
    sys.primary.read({ timeoutMs: 5_000 }, []),
  );
  positions.saw(position);
  return {
    verifier: new TokenVerifier(
      config.keys.tokenHash,
      findTokenIn(sys, (position) => positions.saw(position)),
    ),
    tokens: new ConsistencyTokens(config.keys.consistency),
    positions,
    limits: limitsOf(context),
    rpc,
    services: {
      changes: new Changes(nc),
      waits: new WaitSlots(config.waits),
      readTurns: new ReadTurns(),
      intake: new MetricsIntake(js, config.metricTimes),
      pushTargets: new PushTargets(rpc),
      reads: new Reads(cache, rpc),
      replication: () => replication.get(),
      draining: drain.signal,
    },
    corsOrigins: config.http.corsOrigins,
    ready: () => readiness.report(),
    logger,
  };
}

/** The caches of this process: in memory, and in Redis, which may come and go. */
function cacheOf({ config, nc, logger, drain }: ServiceContext<GatewayConfig>): Cache {
  const l2 = new L2({
    url: config.redis.url,
    onError: (error) => logger.debug({ err: error }, 'Redis is away'),
    onRefused: (error) => logger.warn({ err: error }, 'Redis refuses what the shared cache asks'),
  });
  const cache = new Cache({ maxBytes: config.cache.maxMiB * 1_048_576, l2, rules: changesOf });
  const stop = listenForInvalidations(nc, cache, logger);
  drain.add('pools', 'caches', () => {
    stop();
    l2.close();
  });
  exportCache(cache);
  return cache;
}

/** What everybody may ask, counted here and made one with the other gateways' counts as long as Redis is there. */
function limitsOf({ config, logger, drain }: ServiceContext<GatewayConfig>): RateLimits {
  const limits = new RateLimits();
  const redis = new RedisConnection({
    url: config.redis.url,
    onError: (error) => logger.debug({ err: error }, 'Redis is away: each gateway counts by itself'),
    onRefused: (error) =>
      logger.warn({ err: error }, 'Redis refuses the rate limits: each gateway counts by itself'),
  });
  const stop = shareLimits(limits, redis);
  drain.add('pools', 'limits', () => {
    stop();
    redis.close();
  });
  return limits;
}
