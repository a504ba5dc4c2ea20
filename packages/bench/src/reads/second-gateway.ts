import { startAnotherGateway } from '@novacron/local-stack/stack/another-gateway';
import { Api } from '../api.js';
import type { BenchStack } from '../bench-stack.js';

/** Runs `work` with another gateway on the stack. */
export async function withSecondGateway<T>(stack: BenchStack, work: (api: Api) => Promise<T>): Promise<T> {
  const gateway = await startAnotherGateway(stack.process);
  const api = new Api(`http://127.0.0.1:${gateway.httpPort}`, stack.process.token);
  try {
    return await work(api);
  } finally {
    await api.close();
    await gateway.end('SIGTERM');
  }
}
