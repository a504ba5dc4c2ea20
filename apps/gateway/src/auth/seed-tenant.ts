import { newId } from '@novacron/contracts/ids';
import type { Role } from '@novacron/contracts/envelope';
import type { Database } from '@novacron/postgres/database';
import { TenantEntities } from '@novacron/postgres/entities';
import type { EntityManager } from 'typeorm';
import { hashApiToken } from './api-token.js';
import { ApiToken } from './api-token.entity.js';
import { tenancyEntities } from './entities.js';
import { Tenant } from './tenant.entity.js';

export interface SeededToken {
  readonly name: string;
  readonly token: string;
  readonly roles: readonly Role[];
}

/**
 * Ensures that a tenant exists with these tokens, which have no rate limit. It is safe to run again, also with other
 * tokens: they replace those of the same name.
 * @param sys the role that serves requests may change neither tenants nor tokens
 */
export async function seedTenant(
  sys: Database,
  key: Buffer,
  tenant: { readonly id: string; readonly name: string },
  tokens: readonly SeededToken[],
): Promise<void> {
  await new TenantEntities(sys, tenancyEntities).withTenant(tenant.id, async (manager) => {
    await manager.upsert(Tenant, { ...tenant }, ['id']);
    for (const { name, token, roles } of tokens)
      await putToken(manager, {
        tenantId: tenant.id,
        name,
        hash: hashApiToken(key, token),
        roles: [...roles],
      });
  });
}

/** Writes the token of that name, which keeps its id where there was one. */
async function putToken(
  manager: EntityManager,
  token: Pick<ApiToken, 'tenantId' | 'name' | 'hash' | 'roles'>,
): Promise<void> {
  await manager
    .createQueryBuilder()
    .insert()
    .into(ApiToken)
    .values({ ...token, id: newId(), unlimited: true, expiresAt: null, revokedAt: null })
    .orUpdate(['hash', 'roles', 'unlimited', 'expires_at', 'revoked_at'], ['tenant_id', 'name'])
    .execute();
}
