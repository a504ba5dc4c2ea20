import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { schemas } from '@novacron/provisioning/postgres-roles';
import { inheritedEnvironment } from '../config.js';
import { adminUser } from '../servers/postgres-server.js';
import { requirePostgres } from '../servers/programs.js';
import { StackError } from '../stack-error.js';

type Server = { readonly port: number; readonly adminPassword: string };

const run = promisify(execFile);
/** The table of contents of a database with a year of metric partitions takes some megabytes. */
const LONGEST_OUTPUT = 256 * 1024 * 1024;
const RESTORE_JOBS = 2;

/** Runs one of Postgres' client programs. @throws Error with the program's own message */
async function tool(name: string, args: readonly string[], server?: Server): Promise<string> {
  const program = join(requirePostgres(), name);
  if (!existsSync(program))
    throw new StackError(`${program} is not installed`, 'Install the client programs of this Postgres');
  const login = server ? { PGPASSWORD: server.adminPassword } : {};
  try {
    const { stdout } = await run(program, args, {
      env: { ...inheritedEnvironment(), ...login },
      maxBuffer: LONGEST_OUTPUT,
    });
    return stdout;
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim().split('\n') ?? [];
    const line = said.find((one) => one.includes('error:')) ?? said.at(-1) ?? String(error);
    throw new Error(line.replace(/^\S*pg_\w+: error: /, ''), { cause: error });
  }
}

function connection(server: Server, database: string): string[] {
  return ['-h', '127.0.0.1', '-p', String(server.port), '-U', adminUser, '--no-password', '-d', database];
}

/** Writes a consistent snapshot of the database in pg_dump's custom format. Other sessions may write meanwhile. */
export async function dump(server: Server, database: string, file: string): Promise<void> {
  await tool('pg_dump', [...connection(server, database), '-Fc', '-f', file], server);
}

/** Reads a dump into an empty database. The roles must exist. @throws Error at the first failed statement */
export async function readDump(server: Server, database: string, file: string): Promise<void> {
  const how = ['--exit-on-error', '--jobs', String(RESTORE_JOBS)];
  await tool('pg_restore', [...connection(server, database), ...how, file], server);
}

/**
 * The time at which the backup was made, from its header. Does not check that the backup is complete.
 * @throws StackError when the file is not a backup of NovaCron's database
 */
export async function inspectDump(file: string): Promise<string> {
  if (!existsSync(file)) throw new StackError(`${file} does not exist`);
  const contents = await tool('pg_restore', ['--list', file]).catch((error: unknown) => {
    if (error instanceof StackError) throw error;
    const hint = '`npm run stack -- backup FILE` writes a backup';
    throw new StackError(`${file} is not a backup: ${(error as Error).message}`, hint, { cause: error });
  });
  const missing = schemas.filter((schema) => !new RegExp(`SCHEMA - ${schema} `).test(contents));
  if (missing.length > 0) {
    throw new StackError(
      `${file} is of another database: it has no schema ${missing.join(', ')}`,
      'Nothing was changed',
    );
  }
  return /Archive created at (.+)/.exec(contents)?.[1] ?? 'unknown';
}
