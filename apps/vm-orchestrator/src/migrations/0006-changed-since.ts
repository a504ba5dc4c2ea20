import { runAll } from '@novacron/postgres/migrate';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { IS_LATE } from '../vms/changed-since.js';

/**
 * The time at which an event got its number, and indexes for the rare rows that `updatedSince` must not miss: deleted VMs, and
 * VMs whose change was committed long after its time was taken. An instance of an older version numbers events
 * without naming the column, whose default holds for it too. Older events count as numbered in time.
 */
export class ChangedSince1764018000000 implements MigrationInterface {
  /** Both tables are large and in use: each index is built beside the writes. */
  transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    await runAll(runner, [
      `ALTER TABLE outbox ADD COLUMN IF NOT EXISTS numbered_at timestamptz NOT NULL DEFAULT '1970-01-01Z'`,
      'ALTER TABLE outbox ALTER COLUMN numbered_at SET DEFAULT clock_timestamp()',
      // An interrupted build leaves an invalid index.
      'DROP INDEX CONCURRENTLY IF EXISTS outbox_late',
      `CREATE INDEX CONCURRENTLY outbox_late ON outbox (tenant_id, numbered_at) WHERE ${IS_LATE}`,
      'DROP INDEX CONCURRENTLY IF EXISTS vms_tombstones',
      `CREATE INDEX CONCURRENTLY vms_tombstones ON vms (tenant_id, updated_at) WHERE state = 'deleted'`,
    ]);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runAll(runner, [
      'DROP INDEX CONCURRENTLY IF EXISTS vms_tombstones',
      'DROP INDEX CONCURRENTLY IF EXISTS outbox_late',
      'ALTER TABLE outbox DROP COLUMN numbered_at',
    ]);
  }
}
