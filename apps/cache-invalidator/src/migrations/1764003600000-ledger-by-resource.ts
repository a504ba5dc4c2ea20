import { runAll } from '@novacron/postgres/migrate';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The checker asks which event of a resource came after a version. */
export class LedgerByResource1764003600000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runAll(runner, 'CREATE INDEX ledger_by_resource ON cache.ledger (resource_id, version)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runAll(runner, 'DROP INDEX cache.ledger_by_resource');
  }
}
