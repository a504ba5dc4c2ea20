import { runAll } from '@novacron/postgres/migrate';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Restart policies of VMs. Every column may be NULL: older instances, which may run beside new ones during an update,
 * insert VMs without them. The next migration builds their indexes beside the writes.
 */
export class RestartPolicy1764021600000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runAll(runner, [
      `ALTER TABLE vms
         ADD COLUMN restart_policy jsonb,
         -- Restarts since the guest last ran for long; when the next one is due; when the last one was.
         ADD COLUMN restarts integer, ADD COLUMN restart_at timestamptz, ADD COLUMN restarted_at timestamptz`,
    ]);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runAll(runner, [
      `ALTER TABLE vms DROP COLUMN restart_policy, DROP COLUMN restarts, DROP COLUMN restart_at,
         DROP COLUMN restarted_at`,
    ]);
  }
}
