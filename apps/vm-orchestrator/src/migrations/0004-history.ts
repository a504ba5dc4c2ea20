import { runAll } from '@novacron/postgres/migrate';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which history of which cluster the control plane last worked on: in another one its generation is raised. */
export class History1764010800000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runAll(runner, 'ALTER TABLE control_plane ADD COLUMN history text');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runAll(runner, 'ALTER TABLE control_plane DROP COLUMN history');
  }
}
