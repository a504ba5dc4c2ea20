import type { RunningStack } from '@novacron/testkit/running-stack';
import { readUntil } from '@novacron/testkit/wait';

async function status(url: string): Promise<number> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
  await answer.arrayBuffer();
  return answer.status;
}

/** Resolves when every component runs and the gateway is ready. */
export async function wholeAgain(stack: RunningStack, withinMs = 40_000): Promise<void> {
  const down = async () => stack.components().filter(({ state }) => state !== 'running');
  await readUntil(down, (names) => names.length === 0, withinMs);
  await readUntil(
    () => status(`${stack.url}/ready`),
    (code) => code === 200,
    withinMs,
  );
}

/** Sends a signal to a component's process. The stack restarts it. */
export function signal(stack: RunningStack, name: string, kind: NodeJS.Signals): number {
  const pid = stack.pid(name);
  if (pid === undefined) throw new Error(`${name} does not run`);
  process.kill(pid, kind);
  return pid;
}

/** Resolves when a new process has replaced `pid` and runs. */
export async function replaced(
  stack: RunningStack,
  name: string,
  pid: number,
  withinMs = 40_000,
): Promise<void> {
  const now = async () => stack.components().find((component) => component.name === name);
  await readUntil(now, (found) => found?.state === 'running' && found.pid !== pid, withinMs);
}
