import { runAll } from '@novacron/postgres/migrate';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The VMs that restart policies look for. */
export class RestartIndexes1764025200000 implements MigrationInterface {
  /** `vms` is large and in use: each index is built beside the writes. */
  transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    await runAll(runner, [
      // An interrupted build leaves an invalid index.
      'DROP INDEX CONCURRENTLY IF EXISTS vms_to_restart',
      `CREATE INDEX CONCURRENTLY vms_to_restart ON vms (id)
         WHERE state = 'stopped' AND desired_state = 'running' AND restart_policy IS NOT NULL`,
      'DROP INDEX CONCURRENTLY IF EXISTS vms_restarted',
      'CREATE INDEX CONCURRENTLY vms_restarted ON vms (id) WHERE restarts > 0',
    ]);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runAll(runner, [
      'DROP INDEX CONCURRENTLY IF EXISTS vms_restarted',
      'DROP INDEX CONCURRENTLY IF EXISTS vms_to_restart',
    ]);
  }
}
