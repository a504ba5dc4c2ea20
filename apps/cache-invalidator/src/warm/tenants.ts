import type { Session, Statement } from '@novacron/postgres/database';

const ACTIVE: Statement = {
  name: 'warm_tenants',
  text: `SELECT tenant_id AS "tenantId" FROM
           (SELECT tenant_id, seq FROM cache.ledger WHERE kind = 'vm' ORDER BY seq DESC LIMIT 50000) AS recent
         GROUP BY tenant_id ORDER BY max(seq) DESC LIMIT $1`,
  table: 'ledger',
};

/** Tenants whose VMs had an event lately, the latest first. */
export async function activeTenants(ledger: Session, atMost: number): Promise<string[]> {
  const { rows } = await ledger.query<{ tenantId: string }>(ACTIVE, [atMost]);
  return rows.map(({ tenantId }) => tenantId);
}
