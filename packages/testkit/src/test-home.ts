import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { repositoryRoot } from '@novacron/local-stack/config';
import { StackProcess } from '@novacron/local-stack/stack/stack-process';
import { commandLine, endProcess, readPid } from '@novacron/local-stack/supervisor/processes';
import { testHomeSetting } from './config.js';

/** The directory for test servers' data: NOVACRON_TEST_HOME, default `.novacron-test` in the repository. */
export function testHome(): string {
  const home = resolve(testHomeSetting() || join(repositoryRoot, '.novacron-test'));
  mkdirSync(join(home, 'private'), { recursive: true });
  return home;
}

let counter = 0;

/** Creates a directory for the servers of one test file, named after this process. */
export function privateDirectory(): string {
  const dir = join(testHome(), 'private', `${process.pid}-${counter++}-${Date.now().toString(36)}`);
  mkdirSync(dir, { recursive: true, mode: 0o711 });
  return dir;
}

/** True when the process `pid`, which created a directory or database, is gone. */
export function makerIsGone(pid: number): boolean {
  return commandLine(pid) === undefined;
}

/** True when a running test process has private servers, and so may use the shared cluster. */
export function testsAreRunning(): boolean {
  return readdirSync(join(testHome(), 'private')).some((entry) => !makerIsGone(Number.parseInt(entry, 10)));
}

/** Ends the servers and removes the directories of killed test processes. */
export async function sweepPrivateDirectories(): Promise<void> {
  const all = join(testHome(), 'private');
  for (const entry of readdirSync(all)) {
    if (!makerIsGone(Number.parseInt(entry, 10))) continue;
    const dir = join(all, entry);
    for (const file of readdirSync(dir).filter((name) => name.endsWith('.pid'))) {
      const pid = readPid(join(dir, file));
      // The process must refer to the directory, because its pid may have been reused.
      if (pid !== undefined && mentions(pid, dir)) await endProcess(pid, { graceMs: 2000 });
    }
    await sweepStack(join(dir, 'stack-home'));
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Removes a test stack. The file `marker` contains its home's path. */
async function sweepStack(marker: string): Promise<void> {
  if (!existsSync(marker)) return;
  const home = readFileSync(marker, 'utf8');
  await new StackProcess({ home, offset: 0 }).remove();
  rmSync(home, { recursive: true, force: true });
}

function mentions(pid: number, dir: string): boolean {
  const line = commandLine(pid);
  if (line === undefined) return false;
  if (line.includes(dir)) return true;
  // redis-server shows its address instead of its arguments.
  const port = /127\.0\.0\.1:(\d+)/.exec(line)?.[1];
  try {
    return (
      port !== undefined && readFileSync(join(dir, 'redis', 'redis.conf'), 'utf8').includes(`port ${port}\n`)
    );
  } catch {
    return false; // the directory has no Redis
  }
}
