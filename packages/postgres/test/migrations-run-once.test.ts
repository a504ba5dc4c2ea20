import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { migrate, runAll } from '../src/migrate.js';
import { tenantTable } from '../src/tenancy.js';
import { createDataSource } from '../src/typeorm.js';
import { startPostgresHarness, Things1700000000000, type PostgresHarness } from './postgres-harness.js';

interface Runner {
  query(sql: string): Promise<unknown>;
}

let ran = 0;
class Slow1700000000001 {
  name = 'Slow1700000000001';
  async up(runner: Runner): Promise<void> {
    ran++;
    await runAll(
      runner,
      'CREATE TABLE zones (name text PRIMARY KEY, hosts int NOT NULL)',
      'SELECT pg_sleep(0.3)',
    );
  }
  async down(): Promise<void> {}
}

class Index1700000000002 {
  name = 'Index1700000000002';
  transaction = false;
  async up(runner: Runner): Promise<void> {
    await runner.query('CREATE INDEX CONCURRENTLY zones_hosts ON zones (hosts)');
  }
  async down(): Promise<void> {}
}

class Broken1700000000003 {
  name = 'Broken1700000000003';
  async up(runner: Runner): Promise<void> {
    await runAll(runner, 'CREATE TABLE half (id int)', 'CREATE TABLE zones (name text)');
  }
  async down(): Promise<void> {}
}

@Entity('zones')
class Zone {
  @PrimaryColumn('text') name!: string;
  @Column('int') hosts!: number;
}

let harness: PostgresHarness;
const migrations = [Things1700000000000, Slow1700000000001, Index1700000000002];

beforeAll(async () => {
  harness = await startPostgresHarness();
});
afterAll(() => harness?.stop());

describe('migrations', () => {
  it('run once though several processes start together, CREATE INDEX CONCURRENTLY included', async () => {
    const owner = harness.cluster.settings('owner');
    const all = await Promise.all([1, 2, 3].map(() => migrate(owner, { migrations })));
    expect(ran).toBe(1);
    expect(all.flat()).toEqual(['Slow1700000000001', 'Index1700000000002']);
  });

  it('leave nothing behind of one that fails', async () => {
    const owner = harness.cluster.settings('owner');
    await expect(migrate(owner, { migrations: [...migrations, Broken1700000000003] })).rejects.toThrow(
      'already exists',
    );
    const { rows } = await harness
      .open('owner')
      .primary.query({ text: "SELECT to_regclass('half') AS half" });
    expect(rows).toEqual([{ half: null }]);
  });

  it('are refused to any role but the owner', async () => {
    await expect(migrate(harness.cluster.settings('sys'), { migrations })).rejects.toThrow('as the owner');
  });

  it('answer dependency_down without a database', async () => {
    const nowhere = harness.cluster.settings('owner', { primary: { host: '127.0.0.1', port: 1 } });
    await expect(migrate(nowhere, { migrations })).rejects.toMatchObject({ code: 'dependency_down' });
  });

  it('take plain SQL names only', () => {
    expect(() => tenantTable('orchestrator', 'x; DROP TABLE y')).toThrow('not a plain SQL name');
  });
});

describe('a TypeORM data source', () => {
  it('reads and writes entities in the schema of its service', async () => {
    const source = createDataSource(harness.cluster.settings('owner'), { entities: [Zone] });
    await source.initialize();
    const zones = source.getRepository(Zone);
    await zones.insert({ name: 'sim', hosts: 20 });
    expect(await zones.findOneBy({ name: 'sim' })).toEqual({ name: 'sim', hosts: 20 });
    await source.destroy();
  });
});
