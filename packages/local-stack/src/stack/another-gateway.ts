import { anyFreePort } from '../servers/ports.js';
import { type AnotherService, startAnotherService } from './another-service.js';
import type { StackProcess } from './stack-process.js';

/** A gateway of a stack beside the one that it supervises. */
export interface AnotherGateway extends AnotherService {
  readonly httpPort: number;
}

/**
 * Starts another gateway on the stack, on ports of its own, and resolves when it is ready.
 * @param httpPort a free port unless told: one that was killed may come back where it was
 */
export async function startAnotherGateway(
  stack: StackProcess,
  { name = 'gateway-2', httpPort }: { readonly name?: string; readonly httpPort?: number } = {},
): Promise<AnotherGateway> {
  const port = httpPort ?? (await anyFreePort());
  const service = await startAnotherService(stack, 'gateway', {
    name,
    env: { NOVACRON_HTTP_PORT: String(port) },
  });
  return { ...service, httpPort: port };
}
