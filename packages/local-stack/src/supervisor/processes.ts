import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Backoff } from '@novacron/async/backoff';
import { sleep } from '@novacron/async/sleep';

/** Everything needed to run one program. The supervisor and the tests use it. */
export interface Program {
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** the user to run as, when this process is root and the program refuses root */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** text that only this program's command line contains; it shows whether the pid of a pid file was reused */
  readonly marker: string;
  /** the signal for an orderly end; SIGINT for Postgres */
  readonly stopSignal: 'SIGTERM' | 'SIGINT';
  /** time from that signal to SIGKILL */
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

/** True when the command line contains `marker` as whole words, because one home's name may be a prefix of another's. */
export function hasMarker(line: string, marker: string): boolean {
  return `${line} `.includes(`${marker} `);
}

/** The pid in `file`, when it is a possible pid. */
export function readPid(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, 'utf8').trim().split('\n')[0]);
    return Number.isSafeInteger(pid) && pid > 1 ? pid : undefined;
  } catch {
    return undefined; // no pid file: the program was not started, or it was stopped in order
  }
}

/** The pid in `file` when that process runs and is the program with `marker`. Undefined for a stale or reused pid. */
export function livePid(file: string, marker: string): number | undefined {
  const pid = readPid(file);
  const line = pid === undefined ? undefined : commandLine(pid);
  return line !== undefined && hasMarker(line, marker) ? pid : undefined;
}

/** Starts a program in its own session, which a terminal's Ctrl-C does not reach. Appends its output to `log`. */
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

/** On a full disk the program still runs. The supervisor knows its pid, but other commands do not find it. */
function notePid(pidFile: string, pid: number): void {
  try {
    writeFileSync(pidFile, `${pid}\n`);
  } catch (error) {
    if (!isNoSpace(error)) throw error;
    process.stderr.write(`writing ${pidFile} failed: ${(error as Error).message}\n`);
  }
}

/** Whether the disk, or the user's part of it, is full. */
export function isNoSpace(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** Sends `signal`; 0 only checks. False when the process is gone. */
export function signalProcess(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** Time for the parent to reap the process. After that a zombie counts as gone. */
const REAP_MS = 2_000;

/** Resolves true when the process is gone, false when it still runs after `withinMs`. */
export async function gone(pid: number, withinMs: number): Promise<boolean> {
  if (!(await waitUntil(async () => commandLine(pid) === undefined, withinMs))) return false;
  // Postgres does not start while the pid in its lock file exists, even as a zombie.
  await waitUntil(async () => !signalProcess(pid, 0), REAP_MS);
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

/** Polls until `probe` is true. False when `withinMs` passed or `stopEarly` was true. */
export async function waitUntil(
  probe: () => Promise<boolean>,
  withinMs: number,
  stopEarly: () => boolean = () => false,
): Promise<boolean> {
  const deadline = Date.now() + withinMs;
  for (const backoff = new Backoff({ firstMs: 15, maxMs: 120 }); ;) {
    if (await probe()) return true;
    if (Date.now() >= deadline || stopEarly()) return false;
    await sleep(backoff.next());
  }
}
