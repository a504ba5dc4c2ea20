import { runAll } from '@novacron/postgres/migrate';
import { grants } from '@novacron/postgres/tenancy';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What was seen of each event, and how far the numbers are without a gap. Nobody's tenant reads it. */
export class Ledger1764000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runAll(runner, ledger, progress);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runAll(runner, 'DROP TABLE cache.ledger, cache.progress');
  }
}

const ledger = [
  `CREATE TABLE cache.ledger (
     seq bigint PRIMARY KEY,
     event_id uuid NOT NULL,
     tenant_id text NOT NULL,
     kind text NOT NULL,
     resource_id text NOT NULL,
     version bigint NOT NULL,
     position text NOT NULL,
     via text NOT NULL CHECK (via IN ('stream', 'fetch')),
     received_at timestamptz NOT NULL DEFAULT now()
   )`,
  ...grants('cache', 'ledger', { api: '' }),
];

const progress = [
  `CREATE TABLE cache.progress (
     source text PRIMARY KEY,
     contiguous bigint NOT NULL DEFAULT 0,
     moved_at timestamptz NOT NULL DEFAULT now(),
     highest bigint NOT NULL DEFAULT 0,
     skipped bigint NOT NULL DEFAULT 0,
     watermark_seq bigint,
     watermark_position text,
     owner uuid,
     lease_until timestamptz NOT NULL DEFAULT '-infinity'
   )`,
  `INSERT INTO cache.progress (source) VALUES ('orchestrator')`,
  ...grants('cache', 'progress', { api: '', sys: 'SELECT, UPDATE' }),
];
