import { runAll } from '@novacron/postgres/migrate';
import { grants } from '@novacron/postgres/tenancy';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The processes that hold leases, with their last heartbeats. */
export class Workers1764007200000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runAll(
      runner,
      [`CREATE TABLE workers (owner uuid PRIMARY KEY, seen_at timestamptz NOT NULL) WITH (fillfactor = 50)`],
      grants('orchestrator', 'workers', { api: '' }),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runAll(runner, ['DROP TABLE workers']);
  }
}
