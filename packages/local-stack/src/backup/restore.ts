import { renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { StackConfig } from '../config.js';
import { makeDirectories } from '../home/home.js';
import { choosePorts } from '../home/ports.js';
import { loadSecrets, type Secrets } from '../home/secrets.js';
import { runningStack } from '../home/status.js';
import { wholeTopology } from '../home/topology.js';
import { database, layout, type Layout, logFile, pidFile } from '../layout.js';
import { phase } from '../phase.js';
import { asAdmin, ensureDatabase, ensureRoles } from '../servers/postgres-admin.js';
import { postgresDirectory, postgresUser } from '../servers/postgres-home.js';
import { type PostgresOptions, postgresProgram, preparePrimary } from '../servers/postgres-server.js';
import { StackError } from '../stack-error.js';
import { withFileLock } from '../supervisor/file-lock.js';
import { allProcesses, endLeftovers, leftoversOf } from '../supervisor/leftovers.js';
import { endProcess, startProgram, waitUntil } from '../supervisor/processes.js';
import { inspectDump, readDump } from './dump-file.js';
import { finishRestore, restoredDirectory, restoringDirectory } from './restored-data.js';

const START_WITHIN_MS = 60_000;

/**
 * Restores the database from a backup into a new cluster. Its new system identifier separates it from the old
 * timeline: caches, event numbers and consistency tokens of that timeline do not match. The stack must not run. The
 * previous data stay beside the new data, and stay in place when the restore fails.
 */
export async function restore(config: StackConfig, wanted: string): Promise<void> {
  const paths = layout(config.home);
  const file = resolve(wanted);
  const madeAt = await inspectDump(file);
  makeDirectories(paths);
  // A start of the stack fails while the lock is held.
  await withFileLock(join(paths.run, 'stack.lock'), 10_000, async () => {
    const pid = runningStack(paths);
    if (pid !== undefined) {
      throw new StackError(
        `NovaCron runs in ${paths.home} (process ${pid})`,
        'End it first: npm run stack -- stop',
      );
    }
    const { primary } = wholeTopology(paths);
    const target = join(paths.data, primary);
    refuseServer(paths, primary, target);
    // First finishes an earlier restore that was killed at its end.
    finishRestore(target);
    const aside = await rebuild(config, paths, target, file);
    process.stderr.write(
      `the database is restored to ${madeAt}\n${aside ? `previous data: ${aside}\n` : ''}Start it: npm start\n`,
    );
  });
}

/** Refuses while the server runs whose data the restore replaces. A killed stack leaves its servers behind. */
function refuseServer(paths: Layout, name: string, dir: string): void {
  const program = postgresProgram({ name, dir, port: 0, adminPassword: '' });
  const [pid] = leftoversOf(paths, program, allProcesses());
  if (pid === undefined) return;
  throw new StackError(`${name} still runs (process ${pid})`, 'End it: npm run stack -- stop');
}

/** @returns the directory of the previous data, if there were any */
async function rebuild(
  config: StackConfig,
  paths: Layout,
  target: string,
  file: string,
): Promise<string | undefined> {
  const secrets = loadSecrets(paths);
  const dir = postgresDirectory(target, postgresUser());
  const options: PostgresOptions = {
    name: 'postgres-restore',
    dir: restoringDirectory(dir),
    port: (await choosePorts(paths, config.portOffset))['postgres-primary'],
    adminPassword: secrets.postgresAdmin,
  };
  const fresh = () => rmSync(options.dir, { recursive: true, force: true });
  await endLeftovers(paths, [postgresProgram(options)]);
  fresh();
  // Ctrl-C reaches the program that we wait for, too: its failure is then ours, and is cleaned up after.
  process.once('SIGINT', () => undefined);
  try {
    await phase('creating an empty cluster', () => preparePrimary(options));
    await onServer(options, paths, () => fill(options, secrets, file));
  } catch (error) {
    fresh();
    if (error instanceof StackError) throw error;
    const hint = 'The data are unchanged';
    throw new StackError(`the restore of ${file} failed: ${(error as Error).message}`, hint, {
      cause: error,
    });
  }
  renameSync(options.dir, restoredDirectory(dir));
  return finishRestore(target);
}

/** Runs `work` while the server runs, and ends it in order. */
async function onServer(options: PostgresOptions, paths: Layout, work: () => Promise<void>): Promise<void> {
  const program = postgresProgram(options);
  const pids = pidFile(paths, options.name);
  const child = startProgram(program, logFile(paths, options.name), pids);
  try {
    const isUp = await waitUntil(
      () => program.ready(),
      START_WITHIN_MS,
      () => child.exitCode !== null,
    );
    if (!isUp) throw new StackError('Postgres did not start', `Look: ${logFile(paths, options.name)}`);
    await work();
  } finally {
    if (child.pid !== undefined) {
      await endProcess(child.pid, { signal: 'SIGINT', graceMs: program.stopGraceMs, pidFile: pids });
    }
  }
}

async function fill(options: PostgresOptions, secrets: Secrets, file: string): Promise<void> {
  await ensureRoles(options, secrets.roles, secrets.postgresReplication);
  await asAdmin(options, 'postgres', (client) => client.query(`CREATE DATABASE ${database}`));
  await phase(`reading ${file}`, () => readDump(options, database, file));
  // A dump does not contain the grants on the database itself.
  await ensureDatabase(options, database);
  // A dump contains no statistics, and without them the first plans would be scans.
  await phase('collecting statistics', () => asAdmin(options, database, (client) => client.query('ANALYZE')));
}
