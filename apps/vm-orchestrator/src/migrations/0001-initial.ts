import { outboxTable } from '@novacron/outbox/migration';
import { runAll } from '@novacron/postgres/migrate';
import { grants, tenantTable } from '@novacron/postgres/tenancy';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { SHARED_TABLES, SYSTEM_TABLES, TABLES, TENANT_TABLES } from './tables.js';

const SCHEMA = 'orchestrator';

export class Initial1764000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runAll(
      runner,
      TABLES,
      ...TENANT_TABLES.map((table) => tenantTable(SCHEMA, table)),
      ...SHARED_TABLES.map((table) => grants(SCHEMA, table, { api: 'SELECT' })),
      ...SYSTEM_TABLES.map((table) => grants(SCHEMA, table, { api: '' })),
      outboxTable(SCHEMA),
    );
  }

  async down(): Promise<void> {
    throw new Error('the first migration has nothing to go back to: restore a backup');
  }
}
