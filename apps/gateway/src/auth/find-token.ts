import { Role } from '@novacron/contracts/envelope';
import type { TenantId } from '@novacron/contracts/ids';
import type { Position } from '@novacron/contracts/position';
import type { Database, Statement } from '@novacron/postgres/database';
import type { RoutedResult } from '@novacron/postgres/session';
import { z } from 'zod';
import type { FindToken } from './token-verifier.js';

interface Row {
  readonly tenant_id: string;
  readonly tenant_name: string;
  readonly id: string;
  readonly roles: string[];
  readonly expires_at: Date | null;
  readonly unlimited: boolean;
}

/** The rate of a token whose tenant has no rate of its own. */
const DEFAULT_RATE_PER_SECOND = 2_000;

const FIND: Statement = {
  name: 'gateway_find_token',
  table: 'api_tokens',
  text: `SELECT k.tenant_id, t.name AS tenant_name, k.id, k.roles, k.expires_at, k.unlimited
           FROM gateway.api_tokens k JOIN gateway.tenants t USING (tenant_id)
          WHERE k.hash = $1 AND k.revoked_at IS NULL`,
};
const RATE: Statement = {
  name: 'gateway_tenant_rate',
  text: 'SELECT rate_per_second FROM gateway.tenants WHERE tenant_id = $1',
};

const TIMEOUT = { timeoutMs: 5_000 };

/**
 * Finds a token by its hash. The lookup is a prepared statement on the primary: each request with an unknown token
 * waits for it, a new token must work at once, and a revoked one must stop working. A replica answers while the primary
 * is unreachable, so that reads continue. The tenant's rate may come from a replica that includes the lookup's position.
 * @param sys the database under the `_sys` role: the tenant is not known yet
 * @param observe receives the database's position, so that the first answer can carry a consistency token
 */
export function findTokenIn(sys: Database, observe: (position: Position) => void): FindToken {
  return async (hash) => {
    const { rows, lowerBound: position } = await find(sys, hash);
    observe(position);
    const row = rows[0];
    if (row === undefined) return null;
    return {
      caller: {
        tenantId: row.tenant_id as TenantId,
        tenantName: row.tenant_name,
        principal: `token:${row.id}`,
        credentialId: row.id,
        roles: z.array(Role).parse(row.roles),
        ratePerSecond: row.unlimited ? null : await rateOf(sys, row.tenant_id, position),
      },
      expiresAt: row.expires_at === null ? null : row.expires_at.getTime(),
    };
  };
}

async function find(sys: Database, hash: Buffer): Promise<RoutedResult<Row>> {
  try {
    return await sys.primary.query<Row>(FIND, [hash], TIMEOUT);
  } catch (error) {
    if (!sys.stats().replicas.some(({ healthy }) => healthy)) throw error;
    return sys.replica().query<Row>(FIND, [hash], TIMEOUT);
  }
}

async function rateOf(sys: Database, tenantId: string, position: Position): Promise<number> {
  const { rows } = await sys
    .replica(position)
    .query<{ rate_per_second: number | null }>(RATE, [tenantId], TIMEOUT);
  return rows[0]?.rate_per_second ?? DEFAULT_RATE_PER_SECOND;
}
