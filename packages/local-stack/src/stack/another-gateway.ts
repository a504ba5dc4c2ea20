import { anyFreePort } from '../servers/ports.js';
import { type AnotherService, startAnotherService } from './another-service.js';
import type { StackProcess } from './stack-process.js';

/** A second gateway, beside the one that the stack supervises. */
export interface AnotherGateway extends AnotherService {
  readonly httpPort: number;
}

/**
 * Starts another gateway of the stack on its own ports, and resolves when it is ready.
 * @param httpPort default a free port; the port of a killed gateway lets it come back there
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
