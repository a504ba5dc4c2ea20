import { Injectable } from '@nestjs/common';
import type { Database, Statement } from '@novacron/postgres/database';
import { SystemDatabase } from '@novacron/service-kit/inject';

const ACTIVE: Statement = {
  name: 'warm_tenants',
  text: `SELECT tenant_id AS "tenantId" FROM
           (SELECT tenant_id, seq FROM cache.ledger WHERE kind = 'vm' ORDER BY seq DESC LIMIT 50000) AS recent
         GROUP BY tenant_id ORDER BY max(seq) DESC LIMIT $1`,
  table: 'ledger',
};

@Injectable()
export class ActiveTenants {
  constructor(@SystemDatabase() private readonly db: Database) {}

  /** The tenants whose VMs had an event recently, the latest first. */
  async latest(limit: number): Promise<string[]> {
    const { rows } = await this.db.primary.query<{ tenantId: string }>(ACTIVE, [limit]);
    return rows.map(({ tenantId }) => tenantId);
  }
}
