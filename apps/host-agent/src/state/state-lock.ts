import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Locks a host's folder against a second agent. The lock names a process by pid and start time, so that the lock of a
 * killed process does not count.
 * @returns a function that releases the folder
 * @throws Error when a live process holds it
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, 'agent.lock');
  const me = await identity(process.pid);
  for (;;) {
    try {
      await writeFile(path, JSON.stringify(me), { flag: 'wx', mode: 0o600 });
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = await heldBy(path);
    if (holder !== undefined)
      throw new Error(`${folder} is in use by the agent with pid ${holder}: end that one first`);
    await rm(path, { force: true });
  }
}

interface Holder {
  readonly pid: number;
  /** Clock ticks since boot (proc_pid_stat(5), field 22). */
  readonly startedAt: string | undefined;
}

async function heldBy(path: string): Promise<number | undefined> {
  try {
    const holder = JSON.parse(await readFile(path, 'utf8')) as Holder;
    const now = await identity(holder.pid);
    const same = now.startedAt !== undefined && now.startedAt === holder.startedAt;
    return same ? holder.pid : undefined;
  } catch {
    return undefined; // torn or gone: its writer is dead
  }
}

async function identity(pid: number): Promise<Holder> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    return { pid, startedAt: stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] };
  } catch {
    return { pid, startedAt: undefined };
  }
}
