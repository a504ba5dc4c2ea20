import { runAll } from '@novacron/postgres/migrate';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The resources of a host and its overcommit factors; `cpu`, `memory` and `disk` stay the capacity for VMs. */
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
