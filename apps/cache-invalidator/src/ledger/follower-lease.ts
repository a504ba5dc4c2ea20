import { Injectable } from '@nestjs/common';
import type { Database, Statement } from '@novacron/postgres/database';
import { SystemDatabase } from '@novacron/service-kit/inject';
import { randomUUID } from 'node:crypto';

const CLAIM: Statement = {
  name: 'ledger_claim',
  text: `UPDATE cache.progress SET owner = $1, lease_until = now() + interval '4 seconds'
         WHERE source = 'orchestrator' AND (owner = $1 OR lease_until < now())`,
  table: 'progress',
};
const RELEASE: Statement = {
  name: 'ledger_release',
  text: `UPDATE cache.progress SET owner = NULL, lease_until = '-infinity' WHERE source = 'orchestrator' AND owner = $1`,
  table: 'progress',
};

/**
 * Which process fills the gaps of the ledger. Recording is safe to repeat, so two processes that believe to hold the
 * lease for a moment do no harm: the orchestrator only serves some events twice.
 */
@Injectable()
export class FollowerLease {
  readonly #id = randomUUID();

  constructor(@SystemDatabase() private readonly db: Database) {}

  /** @returns whether this process holds the lease for the next four seconds */
  async renew(): Promise<boolean> {
    const { results } = await this.db.primary.batch({}, [{ statement: CLAIM, params: [this.#id] }]);
    return results[0]?.rowCount === 1;
  }

  async release(): Promise<void> {
    await this.db.primary.batch({}, [{ statement: RELEASE, params: [this.#id] }]);
  }
}
