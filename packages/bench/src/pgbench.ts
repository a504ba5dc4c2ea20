import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { inheritedEnvironment } from '@novacron/local-stack/config';
import { requirePostgres } from '@novacron/local-stack/servers/programs';

const run = promisify(execFile);

export interface PgbenchLogin {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

export interface PgbenchOptions {
  readonly script: string;
  /** `:name` in the script; sent as parameters of the prepared statements */
  readonly variables: Readonly<Record<string, string | number>>;
  readonly clients: number;
  readonly seconds: number;
}

/** Transactions per second of the script, without the time to connect. @throws when any client failed */
export async function pgbench(login: PgbenchLogin, options: PgbenchOptions): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'novacron-pgbench-'));
  const file = join(dir, 'create.sql');
  writeFileSync(file, options.script);
  const variables = Object.entries(options.variables).flatMap(([name, value]) => ['-D', `${name}=${value}`]);
  const where = ['-h', '127.0.0.1', '-p', String(login.port), '-U', login.user];
  const how = [
    '-n',
    '-M',
    'prepared',
    '-c',
    String(options.clients),
    '-j',
    '2',
    '-T',
    String(options.seconds),
  ];
  try {
    const env = { ...inheritedEnvironment(), PGPASSWORD: login.password };
    const args = [...where, ...how, '-f', file, ...variables, login.database];
    const { stdout, stderr } = await run(join(requirePostgres(), 'pgbench'), args, { env });
    const tps = /^tps = ([\d.]+) \(without initial connection time\)/m.exec(stdout)?.[1];
    if (tps === undefined || /aborted/.test(stderr)) throw new Error(`pgbench failed: ${stderr || stdout}`);
    return Number(tps);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
