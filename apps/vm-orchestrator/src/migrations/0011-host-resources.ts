import { runAll } from '@novacron/postgres/migrate';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What a host has, and by which factors it promises more; `cpu`, `memory` and `disk` stay what it may promise. */
export class HostResources1764036000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runAll(
      runner,
      `ALTER TABLE hosts ADD COLUMN physical jsonb,
         ADD COLUMN overcommit jsonb NOT NULL DEFAULT '{"cpu": 1, "disk": 1}'`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runAll(runner, 'ALTER TABLE hosts DROP COLUMN physical, DROP COLUMN overcommit');
  }
}
