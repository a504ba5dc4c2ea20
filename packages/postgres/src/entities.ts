import 'reflect-metadata';
import type { Position } from '@novacron/contracts/position';
import { DataSource, QueryFailedError, type EntityManager } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import { PostgresQueryRunner } from 'typeorm/driver/postgres/PostgresQueryRunner.js';
import type { Database } from './database.js';
import type { Transaction } from './transaction.js';

type EntityClass = new () => object;

/**
 * The TypeORM entities of one schema. It opens no connection: its managers send their statements through a
 * {@link Transaction}, so that pools, deadlines, retries and diagnostics are those of every other statement.
 * For tables with a low write rate; a hot table has prepared statements (decision 4).
 */
export class EntitySet {
  readonly #source: MetadataSource;
  #built: Promise<void> | undefined;

  constructor(schema: string, entities: readonly EntityClass[]) {
    this.#source = new MetadataSource({ type: 'postgres', schema, entities: [...entities], logger: 'debug' });
  }

  /** A manager that works within `tx`. `manager.transaction` is a savepoint there. */
  async managerOn(tx: Transaction): Promise<EntityManager> {
    this.#built ??= this.#source.build();
    await this.#built;
    const runner = new TransactionRunner(this.#source.driver as PostgresDriver, tx);
    runner.manager = this.#source.createEntityManager(runner);
    return runner.manager;
  }
}

/** Entities in transactions of a tenant. */
export class TenantEntities {
  /** @param database under the `_api` role row-level security holds the work to its tenant; `_sys` sees all tenants */
  constructor(
    private readonly database: Pick<Database, 'transaction'>,
    private readonly entities: EntitySet,
  ) {}

  /**
   * Runs `work` in one transaction of the tenant, committed when it returns and rolled back when it throws.
   * `position` is at or after the commit. Side effects belong after it, not inside.
   */
  withTenant<T>(
    tenantId: string,
    work: (manager: EntityManager) => Promise<T>,
  ): Promise<{ result: T; position: Position }> {
    return this.database.transaction({ tenantId }, async (tx) => work(await this.entities.managerOn(tx)));
  }
}

class MetadataSource extends DataSource {
  /** The part of `initialize()` that needs no server. */
  build(): Promise<void> {
    return this.buildMetadatas();
  }
}

/** TypeORM's query runner, inside of a transaction that has begun and that another party commits. */
class TransactionRunner extends PostgresQueryRunner {
  constructor(driver: PostgresDriver, tx: Transaction) {
    super(driver, 'master');
    this.databaseConnection = {
      query: async (text: string, params: readonly unknown[] = []) => {
        const { rows, rowCount } = await tx.query({ text }, params);
        return { rows, rowCount, command: /^\s*(\w+)/.exec(text)?.[1]?.toUpperCase() };
      },
    };
    this.isTransactionActive = true;
    this.transactionDepth = 1;
  }

  override async query(
    ...args: Parameters<PostgresQueryRunner['query']>
  ): ReturnType<PostgresQueryRunner['query']> {
    try {
      return await super.query(...args);
    } catch (error) {
      // As every other statement: callers recognise a retryable failure or a violated constraint by the driver's error.
      throw error instanceof QueryFailedError ? error.driverError : error;
    }
  }
}
