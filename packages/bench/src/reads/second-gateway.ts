import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { anyFreePort } from '@novacron/local-stack/ports';
import { readiness } from '@novacron/local-stack/services';
import { Api } from '../api.js';
import type { BenchStack } from '../bench-stack.js';

const READY_WITHIN_MS = 60_000;

function ofProcess(pid: number, what: 'environ' | 'cmdline'): string[] {
  return readFileSync(`/proc/${pid}/${what}`, 'utf8').split('\0').slice(0, -1);
}

/** Runs `work` with another gateway on the stack, started as the stack started its own, on ports of its own. */
export async function withSecondGateway<T>(stack: BenchStack, work: (api: Api) => Promise<T>): Promise<T> {
  const first = stack.process.pid('gateway');
  if (first === undefined) throw new Error('the gateway does not run');
  const [httpPort, opsPort] = [await anyFreePort(), await anyFreePort()];
  const env = Object.fromEntries(
    ofProcess(first, 'environ').map((entry) => entry.split(/=(.*)/s).slice(0, 2) as [string, string]),
  );
  const [file = process.execPath, ...args] = ofProcess(first, 'cmdline');
  const child = spawn(file, [...args.filter((arg) => !arg.startsWith('--name=')), '--name=gateway-2'], {
    env: { ...env, NOVACRON_HTTP_PORT: String(httpPort), NOVACRON_OPS_PORT: String(opsPort) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ended = once(child, 'exit');
  const api = new Api(`http://127.0.0.1:${httpPort}`, stack.process.token);
  try {
    const giveUp = Date.now() + READY_WITHIN_MS;
    while (!(await readiness(opsPort)).ready) {
      if (Date.now() > giveUp || child.exitCode !== null)
        throw new Error('the second gateway does not start');
      await sleep(100);
    }
    return await work(api);
  } finally {
    await api.close();
    child.kill('SIGTERM');
    await ended;
  }
}
