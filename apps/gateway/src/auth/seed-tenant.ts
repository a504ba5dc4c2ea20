import { newId } from '@novacron/contracts/ids';
import type { Role } from '@novacron/contracts/envelope';
import type { Database } from '@novacron/postgres/database';
import { hashApiToken } from './api-token.js';

export interface SeededToken {
  readonly name: string;
  readonly token: string;
  readonly roles: readonly Role[];
}

/**
 * Makes sure that a tenant exists with these tokens, which are good from then on and have no rate limit. Safe to run again, also
 * with other tokens: those of the same name stop being good.
 */
export async function seedTenant(
  sys: Database,
  key: Buffer,
  tenant: { readonly id: string; readonly name: string },
  tokens: readonly SeededToken[],
): Promise<void> {
  await sys.transaction({}, async (tx) => {
    await tx.query(
      {
        text: `INSERT INTO gateway.tenants (tenant_id, name) VALUES ($1, $2) ON CONFLICT (tenant_id) DO UPDATE SET name = EXCLUDED.name`,
      },
      [tenant.id, tenant.name],
    );
    for (const { name, token, roles } of tokens) {
      await tx.query(
        {
          text: `INSERT INTO gateway.api_tokens (tenant_id, id, name, hash, roles, unlimited) VALUES ($1, $2, $3, $4, $5, true)
                 ON CONFLICT (tenant_id, name) DO UPDATE SET hash = EXCLUDED.hash, roles = EXCLUDED.roles, unlimited = true, revoked_at = NULL, expires_at = NULL`,
        },
        [tenant.id, newId(), name, hashApiToken(key, token), roles],
      );
    }
  });
}
