import { grants, tenantTable } from '@novacron/postgres/tenancy';

/**
 * SQL for the `up` of a migration. Events are written to `outbox_pending`; the relay moves them, numbered, to
 * `outbox`, which is only appended to and read by number, and keeps count in the one row of `outbox_counter`.
 * Two tables, because an update in place would leave a dead version of every event in the table that is kept.
 */
export function outboxTable(schema: string): string[] {
  return [
    // `n` orders the events of one resource: their writers hold its row lock, so the later one has the higher n.
    `CREATE TABLE ${schema}.outbox_pending (
       n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
       id uuid NOT NULL, tenant_id text NOT NULL, kind text NOT NULL, resource_id text NOT NULL,
       type text NOT NULL, version bigint NOT NULL, at timestamptz NOT NULL, data json NOT NULL
     ) WITH (autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0, vacuum_truncate = off)`,
    `CREATE TABLE ${schema}.outbox (
       tenant_id text NOT NULL, seq bigint NOT NULL, id uuid NOT NULL, position text NOT NULL,
       kind text NOT NULL, resource_id text NOT NULL, type text NOT NULL, version bigint NOT NULL,
       at timestamptz NOT NULL, data json NOT NULL,
       PRIMARY KEY (tenant_id, seq)
     )`,
    `CREATE UNIQUE INDEX outbox_seq ON ${schema}.outbox (seq)`,
    `CREATE TABLE ${schema}.outbox_counter (
       one boolean PRIMARY KEY DEFAULT true CHECK (one),
       seq bigint NOT NULL DEFAULT 0, published bigint NOT NULL DEFAULT 0
     ) WITH (fillfactor = 10)`,
    `INSERT INTO ${schema}.outbox_counter DEFAULT VALUES`,
    ...tenantTable(schema, 'outbox_pending', { type: 'text', api: 'INSERT' }),
    ...tenantTable(schema, 'outbox', { type: 'text', api: 'SELECT' }),
    ...grants(schema, 'outbox_counter', { api: '', sys: 'SELECT, UPDATE' }),
  ];
}

/**
 * SQL for the `up` of a migration that follows {@link outboxTable}: which events the relay could not publish. The
 * events themselves stay in `outbox`, where their consumers fetch them by number.
 */
export function setAsideTable(schema: string): string[] {
  return [
    `CREATE TABLE ${schema}.outbox_set_aside (
       seq bigint PRIMARY KEY, reason text NOT NULL, at timestamptz NOT NULL DEFAULT now()
     )`,
    ...grants(schema, 'outbox_set_aside', { api: '', sys: 'SELECT, INSERT, DELETE' }),
  ];
}
