import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { type Layout, pidFile } from '../layout.js';
import { endProcess, hasMarker, livePid, type Program } from './processes.js';

interface Process {
  readonly pid: number;
  readonly args: readonly string[];
}

/** Every process of this machine whose command line we may read. Without /proc: none, and pid files are all we know. */
export function allProcesses(): Process[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((entry) => {
      try {
        const args = readFileSync(`/proc/${entry}/cmdline`, 'utf8').split('\0').filter(Boolean);
        return args.length > 0 ? [{ pid: Number(entry), args }] : [];
      } catch {
        return []; // it ended while we looked
      }
    });
}

function runs(found: Process, program: Program): boolean {
  // redis-server writes its whole title into its first argument.
  const sameFile = basename(found.args[0]?.split(' ')[0] ?? '') === basename(program.file);
  return sameFile && hasMarker(found.args.join(' '), program.marker);
}

/** Pids of a program of this home that still lives: by its pid file, or, where that is lost, by its command line. */
export function leftoversOf(paths: Layout, program: Program, processes: readonly Process[]): number[] {
  const byFile = livePid(pidFile(paths, program.name), program.marker);
  const byName = processes.filter((found) => runs(found, program)).map((found) => found.pid);
  return [...new Set([...(byFile === undefined ? [] : [byFile]), ...byName])];
}

/** Ends what a crashed run left behind, in the given order; answers the names of what was there. */
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
    return ''; // it ended, or belongs to another user: then it is no guest of ours
  }
}

/** QEMU guests of this home: they work in a directory of its agents, or name one in their command lines. */
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
