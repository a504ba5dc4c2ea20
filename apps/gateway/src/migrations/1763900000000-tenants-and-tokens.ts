import { runAll } from '@novacron/postgres/migrate';
import { tenantTable } from '@novacron/postgres/tenancy';
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class TenantsAndTokens1763900000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runAll(
      runner,
      `CREATE TABLE gateway.tenants (
         tenant_id uuid PRIMARY KEY,
         name text NOT NULL UNIQUE,
         created_at timestamptz NOT NULL DEFAULT now()
       )`,
      tenantTable('gateway', 'tenants', { api: 'SELECT' }),
      // The hash is unique across tenants: a request is looked up by it before its tenant is known.
      `CREATE TABLE gateway.api_tokens (
         tenant_id uuid NOT NULL REFERENCES gateway.tenants,
         id uuid NOT NULL,
         name text NOT NULL,
         hash bytea NOT NULL UNIQUE,
         roles text[] NOT NULL CHECK (roles <@ ARRAY['owner', 'operator', 'viewer', 'platform_operator'] AND roles <> '{}'),
         created_at timestamptz NOT NULL DEFAULT now(),
         expires_at timestamptz,
         revoked_at timestamptz,
         PRIMARY KEY (tenant_id, id),
         UNIQUE (tenant_id, name)
       )`,
      tenantTable('gateway', 'api_tokens'),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runAll(runner, 'DROP TABLE gateway.api_tokens', 'DROP TABLE gateway.tenants');
  }
}
