import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { anyFreePort } from './ports.js';
import { waitUntil } from './processes.js';
import { readiness } from './services.js';
import type { StackProcess } from './stack-process.js';

const READY_WITHIN_MS = 60_000;

/** A gateway of a stack beside the one that it supervises. */
export interface AnotherGateway {
  readonly httpPort: number;
  readonly pid: number;
  /** Resolves when it is gone, with its exit code; null when a signal ended it. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

function ofProcess(pid: number, what: 'environ' | 'cmdline'): string[] {
  return readFileSync(`/proc/${pid}/${what}`, 'utf8').split('\0').slice(0, -1);
}

/**
 * Starts another gateway on the stack, as the stack started its own but on ports of its own, and resolves when it
 * is ready.
 * @param httpPort a free port unless told: one that was killed may come back where it was
 */
export async function startAnotherGateway(
  stack: StackProcess,
  { name = 'gateway-2', httpPort }: { readonly name?: string; readonly httpPort?: number } = {},
): Promise<AnotherGateway> {
  const first = stack.pid('gateway');
  if (first === undefined) throw new Error('the gateway does not run');
  const [port, opsPort] = [httpPort ?? (await anyFreePort()), await anyFreePort()];
  const env = Object.fromEntries(
    ofProcess(first, 'environ').map((entry) => entry.split(/=(.*)/s).slice(0, 2) as [string, string]),
  );
  const [file = process.execPath, ...args] = ofProcess(first, 'cmdline');
  const child = spawn(file, [...args.filter((arg) => !arg.startsWith('--name=')), `--name=${name}`], {
    env: { ...env, NOVACRON_HTTP_PORT: String(port), NOVACRON_OPS_PORT: String(opsPort) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ended = once(child, 'exit') as Promise<[number | null]>;
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    child.kill(signal);
    return (await ended)[0];
  };
  if (
    !(await waitUntil(
      async () => (await readiness(opsPort)).ready,
      READY_WITHIN_MS,
      () => isGone(child),
    ))
  ) {
    if (!isGone(child)) await end('SIGKILL');
    throw new Error(`${name} does not start`);
  }
  return { httpPort: port, pid: child.pid as number, end };
}

function isGone({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
