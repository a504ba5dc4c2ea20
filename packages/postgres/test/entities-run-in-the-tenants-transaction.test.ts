import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ServiceError } from '@novacron/contracts/errors';
import { dbQuery, type DbQueryDiagnostic } from '@novacron/telemetry/diagnostics';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { Database } from '../src/database.js';
import { EntitySet, TenantEntities } from '../src/entities.js';
import { isUniqueViolation } from '../src/failure.js';
import {
  COUNT,
  GET,
  startPostgresHarness,
  TENANT_A,
  TENANT_B,
  type PostgresHarness,
} from './postgres-harness.js';

@Entity('things')
class Thing {
  @PrimaryColumn({ name: 'tenant_id', type: 'uuid' })
  tenantId!: string;

  @PrimaryColumn({ type: 'text' })
  id!: string;

  @Column({ type: 'bigint' })
  version!: number;

  @Column({ type: 'jsonb', nullable: true })
  body!: object | null;
}

let harness: PostgresHarness;
let api: Database;
let things: TenantEntities;

beforeAll(async () => {
  harness = await startPostgresHarness();
  api = harness.open('api', { max: 1 });
  things = new TenantEntities(api, new EntitySet('orchestrator', [Thing]));
});
afterAll(() => harness?.stop());

const thing = (id: string, tenantId = TENANT_A) => ({ tenantId, id, version: 1, body: { of: id } });

describe('entities of a tenant', () => {
  it('are written and read in one transaction, whose position shows them', async () => {
    const { result, position } = await things.withTenant(TENANT_A, async (manager) => {
      await manager.getRepository(Thing).save(thing('saved'));
      return manager.findOneBy(Thing, { id: 'saved' });
    });
    expect(result).toEqual(thing('saved'));
    const read = await api.primary.query(GET, ['saved'], { tenantId: TENANT_A });
    expect(read.rows).toMatchObject([{ id: 'saved' }]);
    expect(read.upperBound.lsn).toBeGreaterThanOrEqual(position.lsn);
  });

  it('are those of the tenant alone', async () => {
    await things.withTenant(TENANT_B, (manager) => manager.insert(Thing, thing('other', TENANT_B)));
    const seen = await things.withTenant(TENANT_A, (manager) => manager.find(Thing));
    expect(seen.result.map(({ id }) => id)).toEqual(['saved']);
    const { result } = await things.withTenant(TENANT_A, (manager) =>
      manager.update(Thing, { id: 'other' }, { version: 9 }),
    );
    expect(result.affected).toBe(0);
  });

  it('cannot be written for another tenant', async () => {
    const foreign = things.withTenant(TENANT_A, (manager) => manager.insert(Thing, thing('x', TENANT_B)));
    await expect(foreign).rejects.toMatchObject({ code: '42501' });
  });

  it('are rolled back when the work throws, and the connection is usable after', async () => {
    const failed = things.withTenant(TENANT_A, async (manager) => {
      await manager.insert(Thing, thing('lost'));
      throw new ServiceError('name_taken', 'not today');
    });
    await expect(failed).rejects.toMatchObject({ code: 'name_taken', readAt: expect.anything() });
    const { rows } = await api.primary.query(COUNT, [], { tenantId: TENANT_A });
    expect(rows).toEqual([{ n: 1 }]);
  });

  it('throw the errors of Postgres, as statements do', async () => {
    const again = things.withTenant(TENANT_A, (manager) => manager.insert(Thing, thing('saved')));
    const error: unknown = await again.catch((thrown: unknown) => thrown);
    expect(isUniqueViolation(error, 'things_pkey')).toBe(true);
  });

  it('take a nested transaction as a savepoint', async () => {
    const { result } = await things.withTenant(TENANT_A, async (manager) => {
      const nested = manager.transaction(async (inner) => {
        await inner.insert(Thing, thing('nested'));
        throw new Error('undone');
      });
      await nested.catch(() => undefined);
      return manager.countBy(Thing, { id: 'nested' });
    });
    expect(result).toBe(0);
  });

  it('are refused without a tenant', async () => {
    await expect(things.withTenant('', (manager) => manager.find(Thing))).rejects.toThrow('empty');
  });

  it('publish diagnostics with verb and table', async () => {
    const published: DbQueryDiagnostic[] = [];
    dbQuery.subscribe((diagnostic) => published.push(diagnostic));
    await things.withTenant(TENANT_A, (manager) => manager.delete(Thing, { id: 'saved' }));
    expect(published.map(({ queryType, table }) => [queryType, table])).toEqual([
      ['delete', 'things'],
      ['transaction', 'none'],
    ]);
  });
});
