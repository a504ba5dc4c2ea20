import { Module } from '@nestjs/common';
import { TOKENS } from '@novacron/service-kit/inject';
import type { GatewayConfig } from '../config.js';
import { RequestConsistency } from './consistency.js';
import { ConsistencyTokens } from './consistency-token.js';
import { FirstPosition } from './first-position.js';
import { Positions } from './positions.js';

/** Consistency tokens, and the last position of each caller. */
@Module({
  providers: [
    {
      provide: ConsistencyTokens,
      inject: [TOKENS.config],
      useFactory: ({ keys }: GatewayConfig) => new ConsistencyTokens(keys.consistency),
    },
    { provide: Positions, useFactory: () => new Positions() },
    RequestConsistency,
    FirstPosition,
  ],
  exports: [RequestConsistency, Positions],
})
export class ConsistencyModule {}
