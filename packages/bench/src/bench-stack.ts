import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { layout } from '@novacron/local-stack/layout';
import { loadSecrets, type Secrets } from '@novacron/local-stack/home/secrets';
import { freeOffset, StackProcess } from '@novacron/local-stack/stack/stack-process';
import pg from 'pg';
import { Api } from './api.js';
import type { BenchContext } from './benchmark.js';

/** Beyond what any benchmark creates: the limits are not measured. */
const ROOM = {
  NOVACRON_QUOTA_VMS: '1000000',
  NOVACRON_QUOTA_CPU: '10000000',
  NOVACRON_QUOTA_MEMORY: '10000000000',
  NOVACRON_QUOTA_DISK: '100000000',
  NOVACRON_JOB_QUEUE: '1000000',
};

export interface BenchStackOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** default 20, room for 10,000 VMs of 2 vCPU, 4 GiB and 50 GiB */
  readonly simHosts?: number;
}

/** A whole local stack of one benchmark: own home, own ports, real fsync, a streaming replica. */
export interface BenchStack {
  readonly process: StackProcess;
  readonly secrets: Secrets;
  readonly api: Api;
  /** superuser on the primary */
  readonly admin: pg.Client;
  readonly primaryPort: number;
}

/** Runs `work` on a fresh stack, which is removed afterwards in any case. */
export async function withStack<T>(
  context: BenchContext,
  options: BenchStackOptions,
  work: (stack: BenchStack) => Promise<T>,
): Promise<T> {
  const home = mkdtempSync(join(tmpdir(), 'novacron-bench-'));
  const profiles = context.profileDir
    ? { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${context.profileDir}` }
    : undefined;
  const env = { NOVACRON_LOG_LEVEL: 'warn', ...ROOM, ...profiles, ...options.env };
  const simHosts = options.simHosts ?? 20;
  const stack = new StackProcess({ home, offset: await freeOffset(), simHosts, env });
  try {
    context.progress('starting a stack');
    await stack.start();
    return await opened(stack, work);
  } finally {
    await stack.remove();
    rmSync(home, { recursive: true, force: true });
  }
}

async function opened<T>(stack: StackProcess, work: (stack: BenchStack) => Promise<T>): Promise<T> {
  const env = stack.env();
  const admin = new pg.Client({ connectionString: env['NOVACRON_PG_ADMIN_URL'] });
  // A benchmark may end the primary, and with it this connection, which is idle then.
  admin.on('error', () => undefined);
  await admin.connect();
  const api = new Api(stack.url, stack.token);
  try {
    const primaryPort = Number(env['NOVACRON_PG_PRIMARY']?.split(':')[1]);
    return await work({ process: stack, secrets: loadSecrets(layout(stack.home)), api, admin, primaryPort });
  } finally {
    await api.close();
    await admin.end();
  }
}

/** A connection to the primary as one of the services' roles. */
export async function connectAs(stack: BenchStack, user: string, password: string): Promise<pg.Client> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port: stack.primaryPort,
    user,
    password,
    database: 'novacron',
  });
  await client.connect();
  return client;
}

/** Number of VMs in a state whose name begins with `prefix`. */
export async function countVms(stack: BenchStack, prefix: string, state: string): Promise<number> {
  const text = 'SELECT count(*)::int AS n FROM orchestrator.vms WHERE name LIKE $1 AND state = $2';
  const { rows } = await stack.admin.query<{ n: number }>(text, [`${prefix}%`, state]);
  return rows[0]?.n ?? 0;
}

/** Number of jobs that are not finished. */
export async function liveJobs(stack: BenchStack): Promise<number> {
  const text = `SELECT count(*)::int AS n FROM orchestrator.jobs WHERE status IN ('queued', 'running', 'waiting')`;
  const { rows } = await stack.admin.query<{ n: number }>(text);
  return rows[0]?.n ?? 0;
}
