import { natsEnv, opsEnv, postgresEnv, telemetryEnv } from '@novacron/config/fragments';
import type { Config } from '@novacron/config/load';
import { hexKey, port, text } from '@novacron/config/settings';

/** Everything that the gateway reads from its environment. */
export const settings = {
  ...natsEnv,
  ...postgresEnv,
  ...opsEnv,
  ...telemetryEnv,
  http: { host: text('NOVACRON_HTTP_HOST', '127.0.0.1'), port: port('NOVACRON_HTTP_PORT', 8080) },
  keys: {
    /** Signs consistency tokens; one for all gateways. */
    consistency: hexKey('NOVACRON_CONSISTENCY_KEY', 32),
    /** Hashes API tokens; whoever changes it makes every token worthless. */
    tokenHash: hexKey('NOVACRON_TOKEN_HASH_KEY', 32),
  },
};

export type GatewayConfig = Config<typeof settings>;
