import type { Role } from '@novacron/contracts/envelope';
import type { TenantId } from '@novacron/contracts/ids';

/** Who asks: what a verified credential says. */
export interface Caller {
  readonly tenantId: TenantId;
  readonly tenantName: string;
  /** `token:<id>`; later also `user:<subject>` of an OIDC token. Idempotency keys belong to it. */
  readonly principal: string;
  /** What last positions are remembered under. */
  readonly credentialId: string;
  readonly roles: readonly Role[];
  /** How many requests a second this credential may make; null: as many as it likes. */
  readonly ratePerSecond: number | null;
}
