import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { TestServers } from '@novacron/testkit/servers';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** A gateway in a process of its own, ready; what it logged is in `output`. */
export async function startGatewayProcess(
  servers: TestServers,
): Promise<{ child: ChildProcess; url: string; output: () => string }> {
  const env = servers.env('gateway');
  const child = spawn(process.execPath, [main], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data) => (text += String(data)));
  const url = `http://127.0.0.1:${env['NOVACRON_HTTP_PORT']}`;
  for (const deadline = performance.now() + 60_000; ;) {
    const answer = await fetch(`${url}/ready`).catch(() => null);
    if (answer?.status === 200) return { child, url, output: () => text };
    if (performance.now() > deadline || child.exitCode !== null) {
      child.kill('SIGKILL');
      throw new Error(`the gateway did not start: ${text}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Tells it to end, and waits until it has. @returns the exit code */
export async function endGatewayProcess(
  child: ChildProcess,
  signal: NodeJS.Signals = 'SIGTERM',
): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  child.kill(signal);
  const [code] = (await once(child, 'exit')) as [number | null];
  return code;
}
