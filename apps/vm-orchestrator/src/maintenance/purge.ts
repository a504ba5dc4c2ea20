import { Injectable } from '@nestjs/common';
import { Periodic } from '@novacron/async/periodic';
import { ServiceLogger, SystemDatabase } from '@novacron/service-kit/inject';
import type { Database, Statement } from '@novacron/postgres/database';
import type { Logger } from '@novacron/telemetry/logger';

const EVERY_MS = 10 * 60_000;
const BATCH = 5_000;

/** Tombstones, ended jobs and join tokens are kept for 30 days, answers to idempotency keys for one. */
const PURGES: readonly Statement[] = [
  purge(
    'placements',
    `(tenant_id, vm_id) IN (SELECT tenant_id, id FROM vms
    WHERE state = 'deleted' AND deleted_at < now() - interval '30 days' LIMIT ${BATCH})`,
  ),
  purge(
    'vms',
    `(tenant_id, id) IN (SELECT tenant_id, id FROM vms
    WHERE state = 'deleted' AND deleted_at < now() - interval '30 days' LIMIT ${BATCH})`,
  ),
  purge(
    'jobs',
    `(tenant_id, id) IN (SELECT tenant_id, id FROM jobs
    WHERE status IN ('succeeded', 'failed', 'cancelled') AND updated_at < now() - interval '30 days' LIMIT ${BATCH})`,
  ),
  purge(
    'idempotency',
    `(tenant_id, principal, route, key) IN (SELECT tenant_id, principal, route, key FROM idempotency
    WHERE created_at < now() - interval '1 day' LIMIT ${BATCH})`,
  ),
  purge(
    'host_invites',
    `token_hash IN (SELECT token_hash FROM host_invites WHERE expires_at < now() - interval '30 days' LIMIT ${BATCH})`,
  ),
];

function purge(table: string, where: string): Statement {
  return { name: `purge-${table}`, table, text: `DELETE FROM ${table} WHERE ${where}` };
}

/** Deletes rows whose time is over, in small transactions, every ten minutes. */
@Injectable()
export class Maintenance {
  readonly #rounds = new Periodic(() => this.purge(), {
    everyMs: EVERY_MS,
    onError: (error) => this.logger.warn({ err: error }, 'purge of old rows failed'),
  });

  constructor(
    @SystemDatabase() private readonly db: Database,
    @ServiceLogger() private readonly logger: Logger,
  ) {}

  start(): void {
    this.#rounds.start();
  }

  stop(): Promise<void> {
    return this.#rounds.stop();
  }

  /** One round, now. @returns how many rows went */
  async purge(): Promise<number> {
    let gone = 0;
    for (const statement of PURGES) {
      for (let deleted = BATCH; deleted >= BATCH; gone += deleted) {
        const { results } = await this.db.primary.batch({}, [{ statement }]);
        deleted = results[0]?.rowCount ?? 0;
      }
    }
    return gone;
  }
}
