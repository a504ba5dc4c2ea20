import { runAll } from '@novacron/postgres/migrate';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A tenant's own rate for each of its tokens; a token without any, for what operates the installation. */
export class RateLimits1764150000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runAll(
      runner,
      `ALTER TABLE gateway.tenants
         ADD COLUMN rate_per_second integer CHECK (rate_per_second BETWEEN 1 AND 1000000)`,
      `ALTER TABLE gateway.api_tokens ADD COLUMN unlimited boolean NOT NULL DEFAULT false`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runAll(
      runner,
      'ALTER TABLE gateway.api_tokens DROP COLUMN unlimited',
      'ALTER TABLE gateway.tenants DROP COLUMN rate_per_second',
    );
  }
}
