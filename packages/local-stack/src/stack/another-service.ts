import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { layout, logFile } from '../layout.js';
import { anyFreePort } from '../servers/ports.js';
import { waitUntil } from '../supervisor/processes.js';
import { readiness } from './services.js';
import type { StackProcess } from './stack-process.js';

/** Long, because the CPU may be busy during the start. */
const READY_WITHIN_MS = 120_000;

/** A second instance of a service, beside the one that the stack supervises. */
export interface AnotherService {
  readonly pid: number;
  readonly opsPort: number;
  /** Resolves when it is gone, with its exit code; null when a signal ended it. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

function ofProcess(pid: number, what: 'environ' | 'cmdline'): string[] {
  return readFileSync(`/proc/${pid}/${what}`, 'utf8').split('\0').slice(0, -1);
}

/**
 * Starts another instance of a service and resolves when it is ready. It has the stack's command line and
 * environment, with `env` on top and its own ops port. It logs to NAME.log beside the others.
 * @param component the stack's name for its own instance, for example `vm-orchestrator`
 */
export async function startAnotherService(
  stack: StackProcess,
  component: string,
  { name = `${component}-2`, env: own = {} }: { name?: string; env?: Readonly<Record<string, string>> } = {},
): Promise<AnotherService> {
  const first = stack.pid(component);
  if (first === undefined) throw new Error(`${component} does not run`);
  const opsPort = await anyFreePort();
  const env = Object.fromEntries(
    ofProcess(first, 'environ').map((entry) => entry.split(/=(.*)/s).slice(0, 2) as [string, string]),
  );
  const [file = process.execPath, ...args] = ofProcess(first, 'cmdline');
  const log = openSync(logFile(layout(stack.home), name), 'a', 0o600);
  const child = spawn(file, [...args.filter((arg) => !arg.startsWith('--name=')), `--name=${name}`], {
    env: { ...env, NOVACRON_OPS_PORT: String(opsPort), ...own },
    stdio: ['ignore', log, log],
    // In its own session like the stack's services, because the CPU scheduler may group the processes of a session.
    detached: true,
  });
  closeSync(log);
  const killOnExit = () => child.kill('SIGKILL');
  process.once('exit', killOnExit);
  child.once('exit', () => process.removeListener('exit', killOnExit));
  const ended = once(child, 'exit') as Promise<[number | null]>;
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    child.kill(signal);
    return (await ended)[0];
  };
  const ready = async () => (await readiness(opsPort)).ready;
  if (!(await waitUntil(ready, READY_WITHIN_MS, () => isGone(child)))) {
    if (!isGone(child)) await end('SIGKILL');
    throw new Error(`${name} does not start`);
  }
  return { pid: child.pid as number, opsPort, end };
}

function isGone({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
