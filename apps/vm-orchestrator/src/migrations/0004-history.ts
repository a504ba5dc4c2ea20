import { runAll } from '@novacron/postgres/migrate';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The lineage of the database that the control plane last worked on: in another one its generation is raised. And the
 * table, which shows that a dump was restored into the cluster that it came from.
 */
export class History1764010800000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runAll(runner, 'ALTER TABLE control_plane ADD COLUMN history text, ADD COLUMN place text');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runAll(runner, 'ALTER TABLE control_plane DROP COLUMN history, DROP COLUMN place');
  }
}
