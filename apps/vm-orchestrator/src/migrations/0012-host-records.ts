import { runAll } from '@novacron/postgres/migrate';
import { grants } from '@novacron/postgres/tenancy';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The operator's record of each host, hashes of join tokens, removed hosts, and the drain of a host. The record of an
 * existing host is its present state, with the bound of growth of a first registration.
 */
export class HostRecords1764039600000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runAll(
      runner,
      [
        'ALTER TABLE hosts ADD COLUMN approved jsonb, ADD COLUMN drain jsonb',
        `UPDATE hosts SET approved = jsonb_build_object('zone', zone, 'driver', driver, 'labels', labels,
           'capacity', jsonb_build_object('cpu', greatest(cpu, 1) * 4, 'memory', greatest(memory, 1024) * 4,
             'disk', greatest(disk, 64) * 4))`,
        'ALTER TABLE images ADD COLUMN rebuildable boolean NOT NULL DEFAULT false',
        `CREATE TABLE host_invites (
           token_hash bytea PRIMARY KEY,
           zone text NOT NULL, driver text NOT NULL, labels jsonb NOT NULL, capacity jsonb,
           created_by text NOT NULL, created_at timestamptz NOT NULL, expires_at timestamptz NOT NULL,
           -- The one host that has used it.
           host_id uuid, used_at timestamptz
         )`,
        'CREATE TABLE retired_hosts (host_id uuid PRIMARY KEY, retired_at timestamptz NOT NULL)',
      ],
      grants('orchestrator', 'host_invites', { api: '' }),
      grants('orchestrator', 'retired_hosts', { api: '' }),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runAll(runner, [
      'DROP TABLE retired_hosts',
      'DROP TABLE host_invites',
      'ALTER TABLE images DROP COLUMN rebuildable',
      'ALTER TABLE hosts DROP COLUMN approved, DROP COLUMN drain',
    ]);
  }
}
