import type { ServiceContext } from '@novacron/service-kit/context';
import type { GatewayConfig } from './config.js';
import { ConsistencyTokens } from './edge/consistency-token.js';
import { Positions } from './edge/positions.js';
import { TokenVerifier } from './edge/token-verifier.js';
import type { HttpParts } from './http.js';
import { MetricsIntake } from './metrics/intake.js';
import { readyWithPeers } from './root/ready.js';
import { findTokenIn } from './tenancy/find-token.js';
import { Changes } from './waits/changes.js';

/** The gateway, put together from what the process has. */
export async function partsOf(context: ServiceContext<GatewayConfig>): Promise<HttpParts> {
  const { config, nc, js, sys, rpc, logger, drain, readiness } = context;
  const positions = new Positions();
  // So that the very first answer, whatever it is, can carry a consistency token.
  positions.saw((await sys.primary.read({ timeoutMs: 5_000 }, [])).position);
  return {
    verifier: new TokenVerifier(
      config.keys.tokenHash,
      findTokenIn(sys, (position) => positions.saw(position)),
    ),
    tokens: new ConsistencyTokens(config.keys.consistency),
    positions,
    rpc,
    services: { changes: new Changes(nc), intake: new MetricsIntake(js), draining: drain.signal },
    ready: readyWithPeers(() => readiness.report(), nc),
    logger,
  };
}
