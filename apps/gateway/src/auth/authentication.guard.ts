import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { operationOf } from '../http/operation.js';
import { Authentication } from './authentication.js';

/** Identifies the caller of every operation. Handlers that are not operations are public. */
@Injectable()
export class AuthenticationGuard implements CanActivate {
  constructor(private readonly authentication: Authentication) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const request = context.getArgByIndex<FastifyRequest>(0);
    request.operation = operationOf(context);
    // The hot path has identified the caller of a request that it passed on.
    if (request.operation === null || request.caller !== null) return true;
    const caller = this.authentication.authenticate(request);
    return caller instanceof Promise ? caller.then(() => true) : true;
  }
}
