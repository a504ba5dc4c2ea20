import { runAll } from '@novacron/postgres/migrate';
import type { MigrationInterface, QueryRunner } from 'typeorm';

const COLUMNS = 'tenant_id, id, name, roles, created_at, expires_at, revoked_at, unlimited';

/**
 * Whoever serves a request reads tokens, without their hashes, and changes none: a fault there must not give a caller
 * other roles. Tokens are looked up and written under the `_sys` role.
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
