import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StackConfig } from '../config.js';
import type { Layout } from '../layout.js';
import { StackError } from '../stack-error.js';
import { withFileLock } from '../supervisor/file-lock.js';
import { opsPorts, requirePort } from './ports.js';
import { runningStack, stackPidFile } from './status.js';

/** Creates the directories of a home. */
export function makeDirectories(paths: Layout): void {
  try {
    mkdirSync(paths.home, { recursive: true });
    for (const dir of [paths.run, paths.log, paths.data, paths.agents, paths.images])
      mkdirSync(dir, { recursive: true });
  } catch (error) {
    throw new StackError(
      `${paths.home} cannot be made (${(error as Error).message})`,
      'Set NOVACRON_HOME to a directory that can',
      {
        cause: error,
      },
    );
  }
}

/** Writes this process's pid as the stack of the home. @throws StackError when another stack runs there */
export async function takeHome(paths: Layout): Promise<void> {
  await withFileLock(join(paths.run, 'stack.lock'), 10_000, () => {
    const other = runningStack(paths);
    if (other !== undefined && other !== process.pid) {
      throw new StackError(
        `NovaCron runs already in ${paths.home} (process ${other})`,
        'Look at it: npm run stack -- status. End it: npm run stack -- stop',
      );
    }
    writeFileSync(stackPidFile(paths), `${process.pid}\n`);
    return Promise.resolve();
  });
}

/** Checks that the fixed ports are free: the gateway's and the ops listeners'. */
export async function checkFixedPorts(
  config: StackConfig & { readonly httpHost: string },
  agentPorts: readonly number[],
): Promise<void> {
  const http = config.httpPort + config.portOffset;
  await requirePort(http, config.httpHost, `npm start -- --port ${http + 10}`);
  const flag = `npm start -- --port-offset ${config.portOffset + 100}`;
  for (const port of new Set([...Object.values(opsPorts), ...agentPorts])) {
    await requirePort(port + config.portOffset, '127.0.0.1', flag);
  }
}
