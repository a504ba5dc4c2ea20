import { runAll } from '@novacron/postgres/migrate';
import { grants, tenantTable } from '@novacron/postgres/tenancy';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** New tables only, so that instances of the previous version continue to work. */
export class IntakeAccount1764007200000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runAll(runner, dropped, deadLetters, ahead);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runAll(runner, 'DROP TABLE metrics.dropped, metrics.dead_letters, metrics.ahead');
  }
}

/** Points that the ingester dropped, by tenant, hour and reason. */
const dropped = [
  `CREATE TABLE metrics.dropped (
     tenant_id uuid NOT NULL,
     hour bigint NOT NULL,
     reason text NOT NULL,
     points bigint NOT NULL,
     last_at bigint NOT NULL,
     vm_id text NOT NULL,
     metric text NOT NULL,
     PRIMARY KEY (tenant_id, hour, reason)
   ) WITH (fillfactor = 50)`,
  `COMMENT ON COLUMN metrics.dropped.hour IS 'start of the hour in which the intake dropped the points, milliseconds since 1970'`,
  `COMMENT ON COLUMN metrics.dropped.vm_id IS 'the VM and metric of the last dropped point, as the sender spelled them'`,
  'CREATE INDEX dropped_hour ON metrics.dropped (hour)',
  ...tenantTable('metrics', 'dropped', { api: 'SELECT' }),
];

/** Whole messages that cannot be stored; the ingester continues behind them. */
const deadLetters = [
  `CREATE TABLE metrics.dead_letters (
     partition smallint NOT NULL,
     generation int NOT NULL,
     seq bigint NOT NULL,
     source text NOT NULL,
     stored_at bigint NOT NULL,
     error text NOT NULL,
     data bytea NOT NULL,
     created_at timestamptz NOT NULL DEFAULT now(),
     PRIMARY KEY (partition, generation, seq)
   )`,
  `COMMENT ON COLUMN metrics.dead_letters.stored_at IS 'when JetStream stored the message, milliseconds since 1970'`,
  'CREATE INDEX dead_letters_created ON metrics.dead_letters (created_at)',
  ...grants('metrics', 'dead_letters', { api: '', sys: 'SELECT, INSERT, DELETE' }),
];

/** The newest future point of a series. It moves to `latest` when its time has come. */
const ahead = [
  `CREATE TABLE metrics.ahead (
     tenant_id uuid NOT NULL,
     vm_id uuid NOT NULL,
     metric_id int NOT NULL,
     ts bigint NOT NULL,
     value double precision NOT NULL,
     pos bigint NOT NULL,
     PRIMARY KEY (tenant_id, vm_id, metric_id)
   ) WITH (fillfactor = 50)`,
  ...tenantTable('metrics', 'ahead', { api: 'SELECT' }),
];
