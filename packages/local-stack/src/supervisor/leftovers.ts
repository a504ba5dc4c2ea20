import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { type Layout, pidFile } from '../layout.js';
import { endProcess, hasMarker, livePid, type Program } from './processes.js';

interface Process {
  readonly pid: number;
  readonly args: readonly string[];
}

/** Every process of this machine with a readable command line. Empty without /proc; only pid files remain then. */
export function allProcesses(): Process[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((entry) => {
      try {
        const args = readFileSync(`/proc/${entry}/cmdline`, 'utf8').split('\0').filter(Boolean);
        return args.length > 0 ? [{ pid: Number(entry), args }] : [];
      } catch {
        return []; // it ended in the meantime
      }
    });
}

function runs(found: Process, program: Program): boolean {
  // redis-server overwrites its first argument with its whole title.
  const sameFile = basename(found.args[0]?.split(' ')[0] ?? '') === basename(program.file);
  return sameFile && hasMarker(found.args.join(' '), program.marker);
}

/** Pids of a program of this home that still runs, found by its pid file and by its command line. */
export function leftoversOf(paths: Layout, program: Program, processes: readonly Process[]): number[] {
  const byFile = livePid(pidFile(paths, program.name), program.marker);
  const byName = processes.filter((found) => runs(found, program)).map((found) => found.pid);
  return [...new Set([...(byFile === undefined ? [] : [byFile]), ...byName])];
}

/** Ends the programs that a crashed run left behind, in the given order. @returns the names of those that ran */
export async function endLeftovers(paths: Layout, programs: readonly Program[]): Promise<string[]> {
  const processes = allProcesses();
  const ended: string[] = [];
  for (const program of programs) {
    for (const pid of leftoversOf(paths, program, processes)) {
      await endProcess(pid, {
        signal: program.stopSignal,
        graceMs: program.stopGraceMs,
        pidFile: pidFile(paths, program.name),
      });
      ended.push(program.name);
    }
  }
  return ended;
}

function workingDirectory(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return ''; // it ended, or belongs to another user and so is not a guest of this home
  }
}

/** QEMU guests of this home. Their working directory or their command line is below its agents' directory. */
export function guests(paths: Layout): number[] {
  const inside = `${paths.agents}/`;
  return allProcesses()
    .filter(({ args }) => basename(args[0] ?? '').startsWith('qemu-system'))
    .filter(({ pid, args }) => args.join(' ').includes(inside) || workingDirectory(pid).startsWith(inside))
    .map(({ pid }) => pid);
}

/** Ends all guests of this home; QEMU flushes its disks on SIGTERM. */
export async function endGuests(paths: Layout): Promise<number> {
  const found = guests(paths);
  await Promise.all(found.map((pid) => endProcess(pid, { graceMs: 5000 })));
  return found.length;
}
