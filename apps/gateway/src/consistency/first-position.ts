import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { Database } from '@novacron/postgres/database';
import { retryUntilReady } from '@novacron/service-kit/dependencies';
import { DrainCoordinator } from '@novacron/service-kit/drain';
import { ServiceLogger, SystemDatabase } from '@novacron/service-kit/inject';
import { Readiness } from '@novacron/service-kit/readiness';
import type { Logger } from '@novacron/telemetry/logger';
import { Positions } from './positions.js';

/** Reads the database's position before the gateway listens, so that its first answer has a consistency token. */
@Injectable()
export class FirstPosition implements OnModuleInit {
  constructor(
    @SystemDatabase() private readonly db: Database,
    private readonly positions: Positions,
    private readonly readiness: Readiness,
    private readonly drain: DrainCoordinator,
    @ServiceLogger() private readonly logger: Logger,
  ) {}

  async onModuleInit(): Promise<void> {
    const { logger, drain, readiness, db } = this;
    const { lowerBound: position } = await retryUntilReady({ logger, drain, readiness }, 'position', () =>
      db.primary.read({ timeoutMs: 5_000 }, []),
    );
    this.positions.observe(position);
  }
}
