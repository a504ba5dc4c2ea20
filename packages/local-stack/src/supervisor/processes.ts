import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** What it takes to run one program: used by the supervisor and by tests alike. */
export interface Program {
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** the user to run as, when we are root and the program refuses root */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** text in the command line that no other program's has: tells a pid file's pid from a stranger's */
  readonly marker: string;
  /** asks for an orderly end; Postgres wants SIGINT */
  readonly stopSignal: 'SIGTERM' | 'SIGINT';
  /** after this long without an end, SIGKILL */
  readonly stopGraceMs: number;
  /** resolves true when the program answers */
  ready(): Promise<boolean>;
}

/** The command line of a live process; undefined when there is none (or only its zombie). */
export function commandLine(pid: number): string | undefined {
  try {
    const text =
      process.platform === 'linux'
        ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
        : execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    return text === '' ? undefined : text;
  } catch {
    return undefined; // no such process
  }
}

/** True when the command line holds `marker` as whole words: one home's name may begin like another's. */
export function hasMarker(line: string, marker: string): boolean {
  return `${line} `.includes(`${marker} `);
}

/** The pid in `file`, if it is a number that a process can have. */
export function readPid(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, 'utf8').trim().split('\n')[0]);
    return Number.isSafeInteger(pid) && pid > 1 ? pid : undefined;
  } catch {
    return undefined; // no pid file: nothing was started, or it was stopped in order
  }
}

/** The pid in `file` if that process lives and really is the program with `marker`; a stale or foreign pid is undefined. */
export function livePid(file: string, marker: string): number | undefined {
  const pid = readPid(file);
  const line = pid === undefined ? undefined : commandLine(pid);
  return line !== undefined && hasMarker(line, marker) ? pid : undefined;
}

/** Starts a program in its own session (a terminal's Ctrl-C does not reach it), output appended to `log`, pid written to `pidFile`. */
export function startProgram(program: Program, log: string, pidFile: string): ChildProcess {
  const output = openSync(log, 'a', 0o600);
  try {
    const child = spawn(program.file, program.args, {
      detached: true,
      stdio: ['ignore', output, output],
      cwd: program.cwd ?? '/',
      ...(program.env ? { env: program.env } : {}),
      ...program.user,
    });
    if (child.pid !== undefined) notePid(pidFile, child.pid);
    return child;
  } finally {
    closeSync(output);
  }
}

/** On a full disk the program runs all the same: the supervisor has its pid, only other commands do not find it. */
function notePid(pidFile: string, pid: number): void {
  try {
    writeFileSync(pidFile, `${pid}\n`);
  } catch (error) {
    if (!isNoSpace(error)) throw error;
    process.stderr.write(`${pidFile} was not written: ${(error as Error).message}\n`);
  }
}

/** Whether the disk, or the user's part of it, is full. */
export function isNoSpace(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** Sends `signal`; 0 only asks. False when there is no such process any more. */
export function signalProcess(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** Its parent gets so long to notice its end; after that a zombie counts as gone. */
const REAP_MS = 2_000;

/** Resolves true when the process is gone, false when it still lives after `withinMs`. */
export async function gone(pid: number, withinMs: number): Promise<boolean> {
  const deadline = Date.now() + withinMs;
  while (commandLine(pid) !== undefined) {
    if (Date.now() >= deadline) return false;
    await sleep(20);
  }
  // A Postgres does not start where the pid in its lock file still answers, if only as a zombie.
  for (const reaped = Date.now() + REAP_MS; signalProcess(pid, 0) && Date.now() < reaped;) await sleep(20);
  return true;
}

/** Ends a process in order, by force after `graceMs`, and removes its pid file. */
export async function endProcess(
  pid: number,
  options: { signal?: 'SIGTERM' | 'SIGINT'; graceMs?: number; pidFile?: string } = {},
): Promise<void> {
  const { signal = 'SIGTERM', graceMs = 5000, pidFile } = options;
  if (signalProcess(pid, signal) && !(await gone(pid, graceMs))) {
    signalProcess(pid, 'SIGKILL');
    await gone(pid, 5000);
  }
  if (pidFile) rmSync(pidFile, { force: true });
}

/** Polls until `probe` is true; false when `withinMs` passed or `stopEarly` said that waiting is useless. */
export async function waitUntil(
  probe: () => Promise<boolean>,
  withinMs: number,
  stopEarly: () => boolean = () => false,
): Promise<boolean> {
  const deadline = Date.now() + withinMs;
  for (let pause = 15; ; pause = Math.min(pause * 1.3, 200)) {
    if (await probe()) return true;
    if (Date.now() >= deadline || stopEarly()) return false;
    await sleep(pause);
  }
}
