import { METRIC_PARTITIONS } from '@novacron/contracts/metrics';
import { runAll } from '@novacron/postgres/migrate';
import { grants, tenantTable } from '@novacron/postgres/tenancy';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { partitionFunctions } from './partition-functions.js';

/**
 * The first schema of the store. `points` has no B-tree, which would make writes four times as slow. Its BRIN index works
 * because a write is sorted by VM, so that few blocks contain any one VM.
 */
export class Points1764000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runAll(runner, points, directory, names, latest, intake, partitionFunctions);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runAll(
      runner,
      'DROP FUNCTION metrics.add_partition, metrics.drop_partitions, metrics.summarize_partitions',
      'DROP TABLE metrics.points, metrics.partitions, metrics.vms, metrics.names, metrics.latest, metrics.intake, metrics.ingesters',
    );
  }
}

const points = [
  `CREATE TABLE metrics.points (
     tenant_id uuid NOT NULL,
     vm_id uuid NOT NULL,
     metric_id int NOT NULL,
     ts bigint NOT NULL,
     value double precision NOT NULL,
     pos bigint NOT NULL
   ) PARTITION BY RANGE (ts)`,
  `COMMENT ON COLUMN metrics.points.ts IS 'milliseconds since 1970'`,
  `COMMENT ON COLUMN metrics.points.pos IS 'generation of the stream * 2^48 + sequence: of two points at one time the higher one holds'`,
  // A bloom filter instead of minimum and maximum: writers alternate at a partition's end, and their VMs overlap.
  `CREATE INDEX points_brin ON metrics.points
     USING brin (vm_id uuid_bloom_ops(n_distinct_per_range = 128, false_positive_rate = 0.01), ts)
     WITH (pages_per_range = 8)`,
  ...tenantTable('metrics', 'points', { api: 'SELECT' }),
  `CREATE TABLE metrics.partitions (
     name text PRIMARY KEY,
     from_ts bigint NOT NULL,
     to_ts bigint NOT NULL,
     created_at timestamptz NOT NULL DEFAULT now(),
     CHECK (from_ts < to_ts)
   )`,
  ...grants('metrics', 'partitions', { api: '', sys: 'SELECT' }),
];

/** The tenant and host of each VM, from the orchestrator's events. */
const directory = [
  `CREATE TABLE metrics.vms (
     tenant_id uuid NOT NULL,
     vm_id uuid NOT NULL,
     host_id uuid,
     version int NOT NULL,
     deleted_at bigint,
     PRIMARY KEY (tenant_id, vm_id)
   )`,
  'CREATE INDEX vms_by_id ON metrics.vms (vm_id)',
  'CREATE INDEX vms_deleted ON metrics.vms (deleted_at) WHERE deleted_at IS NOT NULL',
  ...tenantTable('metrics', 'vms', { api: 'SELECT' }),
];

/** Custom metric names; the built-in ones have fixed ids below 1000. */
const names = [
  `CREATE TABLE metrics.names (
     tenant_id uuid NOT NULL,
     name text NOT NULL,
     metric_id int NOT NULL GENERATED ALWAYS AS IDENTITY (START WITH 1000),
     created_at timestamptz NOT NULL DEFAULT now(),
     PRIMARY KEY (tenant_id, name)
   )`,
  'CREATE INDEX names_by_id ON metrics.names (tenant_id, metric_id)',
  ...tenantTable('metrics', 'names', { api: 'SELECT' }),
];

const latest = [
  `CREATE TABLE metrics.latest (
     tenant_id uuid NOT NULL,
     vm_id uuid NOT NULL,
     metric_id int NOT NULL,
     ts bigint NOT NULL,
     value double precision NOT NULL,
     pos bigint NOT NULL,
     PRIMARY KEY (tenant_id, vm_id, metric_id)
   ) WITH (fillfactor = 50)`,
  ...tenantTable('metrics', 'latest', { api: 'SELECT' }),
];

/** The owner and the stream position of each partition, which make the effect exactly-once. */
const intake = [
  `CREATE TABLE metrics.intake (
     partition smallint PRIMARY KEY,
     stream text NOT NULL DEFAULT '',
     generation int NOT NULL DEFAULT 0,
     seq bigint NOT NULL DEFAULT 0,
     message_at bigint NOT NULL DEFAULT 0,
     fence bigint NOT NULL DEFAULT 0,
     owner uuid,
     lease_until timestamptz NOT NULL DEFAULT '-infinity',
     rows bigint NOT NULL DEFAULT 0
   ) WITH (fillfactor = 50)`,
  `INSERT INTO metrics.intake (partition) SELECT generate_series(0, ${METRIC_PARTITIONS - 1})`,
  `CREATE TABLE metrics.ingesters (id uuid PRIMARY KEY, seen_until timestamptz NOT NULL)`,
  ...grants('metrics', 'intake', { api: '', sys: 'SELECT, UPDATE' }),
  ...grants('metrics', 'ingesters', { api: '' }),
];
