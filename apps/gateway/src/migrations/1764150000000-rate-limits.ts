import { runAll } from '@novacron/postgres/migrate';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A rate for each token of a tenant, and tokens without a rate for the operation of the installation. */
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
