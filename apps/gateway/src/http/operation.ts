import { applyDecorators, HttpCode, RequestMapping, RequestMethod, SetMetadata } from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { OperationContract } from '@novacron/contracts/operation';

const OPERATION = 'novacron:operation';

/**
 * Implements an operation of the contracts by this method. Its input comes by `@Input()`, and it returns an
 * {@link Answer}. The guards authenticate, count and authorize its callers as the contract says.
 */
export function Operation(operation: OperationContract): MethodDecorator {
  const [status = 200] = Object.keys(operation.answers).map(Number);
  return applyDecorators(
    RequestMapping({
      path: operation.path.replaceAll(/\{(\w+)\}/g, ':$1'),
      method: RequestMethod[operation.method],
    }),
    HttpCode(status),
    RouteConfig({ longLived: operation.longLived === true }),
    SetMetadata(OPERATION, operation),
  );
}

/** The operation that a request is routed to; null for public pages. */
export function operationOf(context: ExecutionContext): OperationContract | null {
  return operationOfHandler(context.getHandler());
}

/** The operation that a controller method implements; null where it is not an operation. */
export function operationOfHandler(handler: object): OperationContract | null {
  return (Reflect.getMetadata(OPERATION, handler) as OperationContract | undefined) ?? null;
}
