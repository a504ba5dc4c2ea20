import { execFile } from 'node:child_process';
import {
  chownSync,
  existsSync,
  lstatSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { replicationUser } from '@novacron/provisioning/postgres-roles';
import pg from 'pg';
import { inheritedEnvironment } from '../config.js';
import { StackError } from '../stack-error.js';
import type { Program } from '../supervisor/processes.js';
import { hostBasedAccess, postgresConf } from './postgres-config.js';
import { ownDirectory, postgresDirectory, postgresUser, type ServerUser } from './postgres-home.js';
import { requirePostgres } from './programs.js';

/** The superuser of every private cluster. */
export const adminUser = 'novacron_admin';

export interface PostgresOptions {
  /** component name, as in pid files */
  readonly name: string;
  /** data directory */
  readonly dir: string;
  readonly port: number;
  readonly adminPassword: string;
  readonly durable?: boolean;
  readonly maxConnections?: number;
}

export interface ReplicaOptions extends PostgresOptions {
  readonly primaryPort: number;
  readonly replicationPassword: string;
  /** name of the replication slot on the primary */
  readonly slot: string;
}

const run = promisify(execFile);
// Linux allows 107 bytes for a socket's path; the file name takes 17.
const longestSocketDirectory = 90;

async function runAs(user: ServerUser, program: string, args: string[], env: Record<string, string> = {}) {
  try {
    await run(program, args, { cwd: '/', env: { ...inheritedEnvironment(), ...env }, ...user });
  } catch (error) {
    const output = (error as { stderr?: string }).stderr?.trim().split('\n').at(-1) ?? String(error);
    throw new Error(`${program} failed: ${output}`, { cause: error });
  }
}

function writeOwned(file: string, text: string, user: ServerUser): void {
  writeFileSync(file, text, { mode: 0o600 });
  if (user) chownSync(file, user.uid, user.gid);
}

function writeConfiguration(
  dir: string,
  options: PostgresOptions & Partial<ReplicaOptions>,
  user: ServerUser,
): void {
  const upstream =
    options.primaryPort !== undefined &&
    options.replicationPassword !== undefined &&
    options.slot !== undefined
      ? {
          port: options.primaryPort,
          user: replicationUser,
          password: options.replicationPassword,
          slot: options.slot,
        }
      : undefined;
  const text = postgresConf({
    port: options.port,
    durable: options.durable ?? true,
    ...(options.maxConnections === undefined ? {} : { maxConnections: options.maxConnections }),
    ...(dir.length <= longestSocketDirectory ? { socketDirectory: dir } : {}),
    ...(upstream ? { upstream } : {}),
  });
  writeOwned(join(dir, 'postgresql.conf'), text, user);
  writeOwned(join(dir, 'pg_hba.conf'), hostBasedAccess, user);
}

function checkDataDirectory(dir: string): boolean {
  if (!existsSync(dir)) return false;
  if (!existsSync(join(dir, 'PG_VERSION')) || !existsSync(join(dir, 'global', 'pg_control'))) {
    throw new StackError(
      `${dir} is not a Postgres data directory any more`,
      'Restore it, or discard all state: npm run stack -- reset',
    );
  }
  return true;
}

/** Builds in `<dir>.new` and renames, so that a crash leaves no directory that looks complete. */
async function buildOnce(
  dir: string,
  user: ServerUser,
  build: (fresh: string) => Promise<void>,
): Promise<void> {
  const fresh = `${dir}.new`;
  rmSync(fresh, { recursive: true, force: true });
  ownDirectory(fresh, user);
  await build(fresh);
  renameSync(fresh, dir);
}

/** Creates the primary's data directory when it is missing, and writes its configuration. Runs before each start. */
export async function preparePrimary(options: PostgresOptions): Promise<void> {
  const bin = requirePostgres();
  const user = postgresUser();
  const dir = postgresDirectory(options.dir, user);
  if (!checkDataDirectory(dir)) {
    await buildOnce(dir, user, async (fresh) => {
      const passwordFile = `${fresh}.pw`;
      writeOwned(passwordFile, options.adminPassword, user);
      const durability = options.durable === false ? ['--no-sync'] : [];
      const args = ['-D', fresh, '-U', adminUser, `--pwfile=${passwordFile}`, '--auth=scram-sha-256'];
      try {
        await runAs(user, join(bin, 'initdb'), [
          ...args,
          '-E',
          'UTF8',
          '--locale=C',
          '--data-checksums',
          ...durability,
        ]);
      } finally {
        rmSync(passwordFile, { force: true });
      }
    });
  }
  writeConfiguration(dir, options, user);
}

async function onPrimary<T>(options: ReplicaOptions, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(adminConnection({ ...options, port: options.primaryPort }));
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function slotIsUsable(options: ReplicaOptions): Promise<boolean> {
  return onPrimary(options, async (client) => {
    const { rows } = await client.query<{ wal_status: string | null }>(
      'SELECT wal_status FROM pg_replication_slots WHERE slot_name = $1',
      [options.slot],
    );
    return rows[0] !== undefined && rows[0].wal_status !== 'lost';
  });
}

async function dropSlot(options: ReplicaOptions): Promise<void> {
  await onPrimary(options, (client) =>
    client.query(
      'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1 AND NOT active',
      [options.slot],
    ),
  );
}

/**
 * Copies the running primary when the replica or its slot is missing, and writes the replica's configuration.
 * Runs before each start.
 */
export async function prepareReplica(options: ReplicaOptions): Promise<void> {
  const bin = requirePostgres();
  const user = postgresUser();
  const dir = postgresDirectory(options.dir, user);
  const whole = existsSync(join(dir, 'standby.signal')) && checkDataDirectory(dir);
  if (!whole || !(await slotIsUsable(options))) {
    // A replica's data is a copy, so removing it loses nothing.
    rmSync(dir, { recursive: true, force: true });
    await dropSlot(options);
    await buildOnce(dir, user, async (fresh) => {
      const from = ['-h', '127.0.0.1', '-p', String(options.primaryPort), '-U', replicationUser];
      const how = ['-X', 'stream', '-c', 'fast', '-C', '-S', options.slot];
      const durability = options.durable === false ? ['--no-sync'] : [];
      const env = { PGPASSWORD: options.replicationPassword };
      await runAs(user, join(bin, 'pg_basebackup'), ['-D', fresh, ...from, ...how, ...durability], env);
      writeOwned(join(fresh, 'standby.signal'), '', user);
    });
  }
  writeConfiguration(dir, options, user);
}

/** Connection settings of the superuser. */
export function adminConnection(
  options: Pick<PostgresOptions, 'port' | 'adminPassword'>,
  database = 'postgres',
) {
  return {
    host: '127.0.0.1',
    port: options.port,
    user: adminUser,
    password: options.adminPassword,
    database,
    // A password exchange may take seconds on a busy machine.
    connectionTimeoutMillis: 15_000,
  };
}

async function answers(options: PostgresOptions): Promise<boolean> {
  const client = new pg.Client(adminConnection(options));
  client.on('error', () => undefined); // the query fails as well, and that is handled
  try {
    await client.connect();
    await client.query('SELECT 1');
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === '28P01') {
      throw new StackError(
        `the Postgres in ${options.dir} refuses the password of secrets/secrets.json`,
        'Restore that file, or discard all state: npm run stack -- reset',
      );
    }
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** The Postgres program for a prepared data directory of a primary or a replica. */
export function postgresProgram(options: PostgresOptions): Program {
  const user = postgresUser();
  const dir = postgresDirectory(options.dir, user);
  return {
    name: options.name,
    file: join(requirePostgres(), 'postgres'),
    args: ['-D', dir],
    env: inheritedEnvironment(),
    ...(user ? { user } : {}),
    marker: `-D ${dir}`,
    stopSignal: 'SIGINT',
    stopGraceMs: 15_000,
    ready: () => answers(options),
  };
}

/** Removes a data directory, and its target when `dir` is a link out of the home. */
export function removePostgres(dir: string): void {
  if (lstatSync(dir, { throwIfNoEntry: false })?.isSymbolicLink()) {
    const real = postgresDirectory(dir, postgresUser());
    rmSync(real, { recursive: true, force: true });
    if (readdirSync(dirname(real)).length === 0) rmdirSync(dirname(real));
  }
  rmSync(dir, { recursive: true, force: true });
}
