import type { RequestMeta } from '@novacron/contracts/envelope';
import type { TenantId } from '@novacron/contracts/ids';

/** For requests of the service itself. The tenant does not exist. */
export const SERVICE: RequestMeta = {
  tenantId: '00000000-0000-0000-0000-000000000000' as TenantId,
  principal: 'service:cache-invalidator',
  roles: [],
  remainingMs: 5_000,
  consistency: 'strong',
  minPosition: null,
};

/** For requests as the tenant. The answer shows everything up to `minPosition` (null: any state). */
export function asTenant(tenantId: string, minPosition: string | null): RequestMeta {
  return { ...SERVICE, tenantId: tenantId as TenantId, consistency: 'causal', minPosition };
}
