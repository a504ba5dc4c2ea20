import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { fnv1a } from '@novacron/async/hash';

const run = promisify(execFile);

/** A recorded day has a line every five minutes. */
export const TRACE_LINES = 288;
export const TRACE_STEP_MS = 300_000;

/** One machine's recorded day: percent of CPU and of memory, line by line, exactly as recorded. */
export interface Trace {
  readonly name: string;
  readonly cpu: readonly number[];
  readonly memory: readonly number[];
}

const ARCHIVE = /\.(tar|tgz|tar\.[a-z0-9]+)$/;

/**
 * Reads recorded days: a directory with a file for each machine, a tar of one, or a directory of such tars. A file
 * has a line `CPU% MEMORY%` every five minutes; the first is minute 0. The order is that of the files' names.
 * @throws Error that names the file and the line that is not a pair of numbers
 */
export async function readTraces(path: string): Promise<Trace[]> {
  const traces = await readFrom(path);
  if (traces.length === 0) throw new Error(`${path} holds no recorded days`);
  return traces.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * Which day a VM plays: a name that ends in a number, `web-17`, plays that one (modulo the number of days, in
 * the order of the files' names), so that a fleet can be laid over the traces one to one; any other name plays the
 * FNV-1a hash of the VM's id.
 */
export function traceFor(traces: readonly Trace[], vm: { vmId: string; name: string }): Trace | undefined {
  if (traces.length === 0) return undefined;
  const number = /\d{1,15}$/.exec(vm.name)?.[0];
  return traces[(number === undefined ? fnv1a(vm.vmId) : Number(number)) % traces.length];
}

async function readFrom(path: string): Promise<Trace[]> {
  if (ARCHIVE.test(path)) return readArchive(path);
  if (!(await stat(path)).isDirectory()) return [parseTrace(basename(path), await readFile(path, 'utf8'))];
  const traces: Trace[] = [];
  for (const name of await readdir(path)) traces.push(...(await readFrom(join(path, name))));
  return traces;
}

async function readArchive(path: string): Promise<Trace[]> {
  const folder = await mkdtemp(join(tmpdir(), 'novacron-trace-'));
  try {
    await run('tar', ['-xf', path, '-C', folder, '--no-same-owner']);
    return await readFrom(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function parseTrace(name: string, text: string): Trace {
  const rows = text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  const wrong = rows.findIndex((row) => row.length !== 2 || !row.every(Number.isFinite));
  if (wrong >= 0) throw new Error(`trace ${name}: line ${wrong + 1} is not "CPU% MEMORY%"`);
  return { name, cpu: rows.map(([cpu]) => cpu ?? 0), memory: rows.map(([, memory]) => memory ?? 0) };
}
