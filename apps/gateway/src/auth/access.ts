import type { Role } from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import { ACCESS, type Access } from '@novacron/contracts/operation';
import type { Caller } from '../reads/caller.js';

/** @throws ServiceError `forbidden` when none of the caller's roles opens this. */
export function authorize(caller: Caller, access: Access): void {
  const open: readonly Role[] = ACCESS[access];
  if (caller.roles.some((role) => open.includes(role))) return;
  throw new ServiceError('forbidden', `This needs one of the roles ${open.join(', ')}.`);
}
