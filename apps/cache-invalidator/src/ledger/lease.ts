import type { Database, Statement } from '@novacron/postgres/database';

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
 * Which process follows the events. Recording twice changes nothing, so two that believe it for a moment do no
 * harm: they would only get in each other's way at the one consumer.
 */
export class FollowerLease {
  constructor(
    private readonly db: Database,
    private readonly id: string,
  ) {}

  /** @returns whether this process is the one for the next four seconds */
  async renew(): Promise<boolean> {
    const { results } = await this.db.primary.batch({}, [{ statement: CLAIM, params: [this.id] }]);
    return results[0]?.rowCount === 1;
  }

  async release(): Promise<void> {
    await this.db.primary.batch({}, [{ statement: RELEASE, params: [this.id] }]);
  }
}
