import type { Role } from '@novacron/contracts/envelope';
import type { TenantId } from '@novacron/contracts/ids';

/** The caller of a request, as a verified credential identifies them. */
export interface Caller {
  readonly tenantId: TenantId;
  readonly tenantName: string;
  /** `token:<id>`; later also `user:<subject>` of an OIDC token. Idempotency keys belong to it. */
  readonly principal: string;
  /** The gateway remembers last positions and rates by this id. */
  readonly credentialId: string;
  readonly roles: readonly Role[];
  /** Requests a second that this credential may make; null: no limit. */
  readonly ratePerSecond: number | null;
}
