import { readFile, readdir } from 'node:fs/promises';

/** A process. Its start (clock ticks since boot) distinguishes it from a later one with the same pid. */
export interface ProcessId {
  readonly pid: number;
  readonly startedAt: number;
}

/** Clock ticks of a second: USER_HZ, 100 on every Linux that Node runs on (time(7)). */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4_096;

interface Stat {
  readonly state: string;
  /** User and system time, in ticks. */
  readonly ticks: number;
  readonly startedAt: number;
}

/** proc_pid_stat(5): fields 3, 14 + 15, and 22. Undefined when the process does not exist. */
async function readStat(pid: number): Promise<Stat | undefined> {
  const text = await readProc(`${pid}/stat`);
  if (text === undefined) return undefined;
  // The name in parentheses may contain any character: count from its end.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return {
    state: fields[0] ?? '',
    ticks: Number(fields[11]) + Number(fields[12]),
    startedAt: Number(fields[19]),
  };
}

/** The process with the pid, if its command line has all marks. */
export async function findProcess(pid: number, marks: readonly string[]): Promise<ProcessId | undefined> {
  const stat = await readStat(pid);
  const commandLine = (await readProc(`${pid}/cmdline`))?.split('\0').join(' ') ?? '';
  if (!stat || stat.state === 'Z' || !marks.every((mark) => commandLine.includes(mark))) return undefined;
  return { pid, startedAt: stat.startedAt };
}

/** Every process whose command line has all marks. */
export async function findProcesses(marks: readonly string[]): Promise<ProcessId[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(pids.map((pid) => findProcess(pid, marks)));
  return found.filter((process) => process !== undefined);
}

export async function isAlive({ pid, startedAt }: ProcessId): Promise<boolean> {
  const stat = await readStat(pid);
  return stat !== undefined && stat.state !== 'Z' && stat.startedAt === startedAt;
}

export interface Usage {
  /** Seconds of CPU since the process began. */
  readonly cpuSeconds: number;
  /** Seconds since it began. */
  readonly ageSeconds: number;
  readonly residentBytes: number;
}

/** The resource use of the process; undefined when it is gone. */
export async function readUsage({ pid, startedAt }: ProcessId): Promise<Usage | undefined> {
  const [stat, memory, uptime] = await Promise.all([
    readStat(pid),
    readProc(`${pid}/statm`),
    readProc('uptime'),
  ]);
  if (!stat || stat.startedAt !== startedAt || memory === undefined || uptime === undefined) return undefined;
  return {
    cpuSeconds: stat.ticks / TICKS_PER_SECOND,
    ageSeconds: Number(uptime.split(' ')[0]) - startedAt / TICKS_PER_SECOND,
    residentBytes: Number(memory.split(' ')[1]) * PAGE_BYTES,
  };
}

async function readProc(path: string): Promise<string | undefined> {
  try {
    return await readFile(`/proc/${path}`, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}
