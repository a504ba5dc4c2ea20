import { Module } from '@nestjs/common';
import type { Database } from '@novacron/postgres/database';
import { TOKENS } from '@novacron/service-kit/inject';
import type { GatewayConfig } from '../config.js';
import { ConsistencyModule } from '../consistency/consistency.module.js';
import { Positions } from '../consistency/positions.js';
import { HttpModule } from '../http/http.module.js';
import { LimitsModule } from '../limits/limits.module.js';
import { Authentication } from './authentication.js';
import { findTokenIn } from './find-token.js';
import { TokenVerifier } from './token-verifier.js';
import { UnroutedRequests } from './unrouted.js';

/** Identifies callers by their API tokens. */
@Module({
  imports: [ConsistencyModule, HttpModule, LimitsModule],
  providers: [
    {
      provide: TokenVerifier,
      inject: [TOKENS.config, TOKENS.systemDatabase, Positions],
      useFactory: ({ keys }: GatewayConfig, db: Database, positions: Positions) =>
        new TokenVerifier(
          keys.tokenHash,
          findTokenIn(db, (position) => positions.observe(position)),
        ),
    },
    Authentication,
    UnroutedRequests,
  ],
  exports: [Authentication, UnroutedRequests],
})
export class AuthModule {}
