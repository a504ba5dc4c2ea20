import { Injectable } from '@nestjs/common';
import type { Statement } from '@novacron/postgres/database';
import { Ledger } from '../ledger/ledger.js';

const ACTIVE: Statement = {
  name: 'warm_tenants',
  text: `SELECT tenant_id AS "tenantId" FROM
           (SELECT tenant_id, seq FROM cache.ledger WHERE kind = 'vm' ORDER BY seq DESC LIMIT 50000) AS recent
         GROUP BY tenant_id ORDER BY max(seq) DESC LIMIT $1`,
  table: 'ledger',
};

@Injectable()
export class ActiveTenants {
  constructor(private readonly ledger: Ledger) {}

  /** The tenants whose VMs had an event recently, the latest first. */
  async latest(limit: number): Promise<string[]> {
    const { rows } = await this.ledger.reads.query<{ tenantId: string }>(ACTIVE, [limit]);
    return rows.map(({ tenantId }) => tenantId);
  }
}
