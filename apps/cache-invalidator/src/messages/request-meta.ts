import type { RequestMeta } from '@novacron/contracts/envelope';
import type { TenantId } from '@novacron/contracts/ids';

/** Nobody's tenant: the service asks for itself. */
export const SERVICE: RequestMeta = {
  tenantId: '00000000-0000-0000-0000-000000000000' as TenantId,
  principal: 'service:cache-invalidator',
  roles: [],
  remainingMs: 5_000,
  consistency: 'strong',
  minPosition: null,
};

/** Asks as the tenant, for an answer that holds everything up to `minPosition` (null: any). */
export function asTenant(tenantId: string, minPosition: string | null): RequestMeta {
  return { ...SERVICE, tenantId: tenantId as TenantId, consistency: 'causal', minPosition };
}
