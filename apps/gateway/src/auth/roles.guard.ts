import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Role } from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import { ACCESS, type Access } from '@novacron/contracts/operation';
import type { Caller } from '../reads/caller.js';

/** Admits callers whose roles open the operation. */
@Injectable()
export class RolesGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { caller, operation } = context.getArgByIndex<FastifyRequest>(0);
    if (caller !== null && operation !== null) authorize(caller, operation.access);
    return true;
  }
}

/** @throws ServiceError `forbidden` when none of the caller's roles has this access */
export function authorize(caller: Caller, access: Access): void {
  const open: readonly Role[] = ACCESS[access];
  for (const role of caller.roles) if (open.includes(role)) return;
  throw new ServiceError('forbidden', `This needs one of the roles ${open.join(', ')}.`);
}
