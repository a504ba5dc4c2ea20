import { runAll } from '@novacron/postgres/migrate';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A VM in `error` without a host holds no quota. This releases the quota of existing ones. */
export class QuotaOfFailedCreates1764032400000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runAll(
      runner,
      `WITH freed AS (
         UPDATE vms SET quota_held = false WHERE state = 'error' AND host_id IS NULL AND quota_held
         RETURNING tenant_id, cpu, memory, disk
       ), sums AS (
         SELECT tenant_id, count(*) AS vms, sum(cpu) AS cpu, sum(memory) AS memory, sum(disk) AS disk
         FROM freed GROUP BY tenant_id
       )
       UPDATE quotas q SET used_vms = q.used_vms - s.vms, used_cpu = q.used_cpu - s.cpu,
         used_memory = q.used_memory - s.memory, used_disk = q.used_disk - s.disk
       FROM sums s WHERE q.tenant_id = s.tenant_id`,
    );
  }

  async down(): Promise<void> {
    // A retry takes released quota again: there is nothing to undo.
  }
}
