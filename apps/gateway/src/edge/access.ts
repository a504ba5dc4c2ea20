import type { Role } from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import type { Caller } from './caller.js';

/** Which roles a kind of access is open to. A route names a kind, never roles. */
export const ACCESS = {
  /** Look at the tenant's own things. */
  read: ['viewer', 'operator', 'owner', 'platform_operator'],
  /** Change the tenant's own things. */
  operate: ['operator', 'owner', 'platform_operator'],
  /** What belongs to all tenants: hosts. */
  platform: ['platform_operator'],
} as const satisfies Record<string, readonly Role[]>;

/** `public` needs no token. */
export type Access = keyof typeof ACCESS | 'public';

/** @throws ServiceError `forbidden` when none of the caller's roles opens this. */
export function authorize(caller: Caller, access: keyof typeof ACCESS): void {
  const open: readonly Role[] = ACCESS[access];
  if (caller.roles.some((role) => open.includes(role))) return;
  throw new ServiceError('forbidden', `This needs one of the roles ${open.join(', ')}.`);
}
