import { runAll } from '@novacron/postgres/migrate';
import type { MigrationInterface, QueryRunner } from 'typeorm';

const COLUMNS = 'tenant_id, id, name, roles, created_at, expires_at, revoked_at, unlimited';

/**
 * The role that serves requests reads tokens without their hashes, and changes none: a fault there must not give a caller
 * other roles. The `_sys` role looks tokens up and writes them.
 */
export class TokensReadOnly1764153600000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runAll(
      runner,
      'REVOKE ALL ON gateway.api_tokens FROM gateway_api',
      `GRANT SELECT (${COLUMNS}) ON gateway.api_tokens TO gateway_api`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runAll(runner, 'GRANT SELECT, INSERT, UPDATE, DELETE ON gateway.api_tokens TO gateway_api');
  }
}
