import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { inheritedEnvironment } from '@novacron/local-stack/config';
import { adminUser } from '@novacron/local-stack/servers/postgres-server';
import { requirePostgres } from '@novacron/local-stack/servers/programs';
import pg from 'pg';
import type { BenchStack } from './bench-stack.js';
import { CREATE_STATEMENTS } from './create-statements.js';
import type { PgbenchLogin } from './pgbench.js';

const DATABASE = 'novacron_baseline';

/**
 * A second database on the stack's own primary with the schema that the orchestrator's migrations made there:
 * tables, indexes, row-level security, grants. The tenant has a quota.
 */
export async function makeBaseline(stack: BenchStack, tenant: string): Promise<PgbenchLogin> {
  await stack.admin.query(`CREATE DATABASE ${DATABASE}`);
  await copySchema(stack);
  const client = await connect(stack);
  try {
    await client.query('INSERT INTO orchestrator.quotas SELECT $1, 1e9, 1e10, 1e13, 1e12', [tenant]);
  } finally {
    await client.end();
  }
  const password = stack.secrets.roles.orchestrator.api;
  return { port: stack.primaryPort, user: 'orchestrator_api', password, database: DATABASE };
}

async function copySchema(stack: BenchStack): Promise<void> {
  const bin = requirePostgres();
  const where = ['-h', '127.0.0.1', '-p', String(stack.primaryPort), '-U', adminUser];
  const env = { ...inheritedEnvironment(), PGPASSWORD: stack.secrets.postgresAdmin };
  const run = promisify(execFile);
  const dumped = await run(
    join(bin, 'pg_dump'),
    [...where, '--schema-only', '-n', 'orchestrator', 'novacron'],
    {
      env,
      maxBuffer: 2 ** 26,
    },
  );
  const restored = run(join(bin, 'psql'), [...where, '-q', '-v', 'ON_ERROR_STOP=1', DATABASE], { env });
  restored.child.stdin?.end(dumped.stdout);
  await restored;
}

async function connect(stack: BenchStack): Promise<pg.Client> {
  const password = stack.secrets.postgresAdmin;
  const client = new pg.Client({
    host: '127.0.0.1',
    port: stack.primaryPort,
    user: adminUser,
    password,
    database: DATABASE,
  });
  await client.connect();
  return client;
}

/** Holds the server to a state like that after a fresh start: no dirty pages or dead rows of another round. */
export async function settle(stack: BenchStack): Promise<void> {
  await stack.admin.query('CHECKPOINT');
}

/**
 * The statements of the baseline that the stack has not run, by Postgres' own fingerprint of their parse
 * trees: none, as long as the baseline does what the orchestrator does.
 */
export async function strayStatements(stack: BenchStack): Promise<string[]> {
  const { admin } = stack;
  const { rows } = await admin.query<{ queryid: string }>(
    'SELECT queryid::text FROM public.pg_stat_statements',
  );
  const known = new Set(rows.map((row) => row.queryid));
  const stray: string[] = [];
  await admin.query('SET search_path = orchestrator');
  for (const { text, params } of CREATE_STATEMENTS) {
    await admin.query(`PREPARE fingerprint AS ${text}`);
    const plan = await admin.query<{ 'QUERY PLAN': string }>(
      `EXPLAIN (VERBOSE) EXECUTE fingerprint (${params.map(() => 'NULL').join(', ')})`,
    );
    const id = /Query Identifier: (-?\d+)/.exec(plan.rows.map((row) => row['QUERY PLAN']).join('\n'))?.[1];
    if (id === undefined || !known.has(id)) stray.push(text);
    await admin.query('DEALLOCATE fingerprint');
  }
  await admin.query('RESET search_path');
  return stray;
}
