import { readFileSync } from 'node:fs';
import type pg from 'pg';
import { connectAs, withStack, type BenchStack } from '../bench-stack.js';
import type { BenchContext, Measurement } from '../benchmark.js';
import { runningVms } from '../reads/vms.js';
import { cost } from './cost.js';
import type { Effort } from './guide.js';

/** The guide's, word for word. */
const QUERY = 'SELECT id, name, state FROM vms WHERE tenant_id = $1 LIMIT 50';
/** As many rows of the same size out of no table: what protocol, planner and driver take by themselves. */
const SERIES = `SELECT '01890000-0000-7000-8000-000000000001'::uuid AS id, 'own-' || n AS name, 'running' AS state
  FROM generate_series(1, 50) AS n WHERE $1::uuid IS NOT NULL`;

const QUIET = { NOVACRON_AGENT_METRICS_INTERVAL_MS: '3600000' };

/** Microseconds on the CPU that a process of one thread has had, to the nanosecond: `stat` counts in 10 ms. */
function cpuMicros(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1_000;
}

/** CPU time of the connection's backend for one query. */
async function each(client: pg.Client, pid: number, query: pg.QueryConfig, count: number): Promise<number> {
  const before = cpuMicros(pid);
  for (let i = 0; i < count; i++) {
    const { rowCount } = await client.query(query);
    if (rowCount !== 50) throw new Error(`${query.text} gave ${rowCount} rows`);
  }
  return (cpuMicros(pid) - before) / count;
}

async function rounds(
  stack: BenchStack,
  { processes, rounds: perProcess, queries }: Effort,
): Promise<Measurement[]> {
  const { tenantId } = stack.secrets;
  const client = await connectAs(stack, 'orchestrator_api', stack.secrets.roles.orchestrator.api);
  try {
    await client.query("SELECT set_config('app.tenant_id', $1, false)", [tenantId]);
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const pid = rows[0]?.pid ?? 0;
    const ours = { name: 'list', text: QUERY, values: [tenantId] };
    const series = { name: 'series', text: SERIES, values: [tenantId] };
    await each(client, pid, ours, queries / 5);
    await each(client, pid, series, queries / 5);
    const samples: { ours: number; series: number }[] = [];
    for (let round = 0; round < processes * perProcess; round++) {
      const first = await each(client, pid, ours, queries);
      samples.push({ ours: first, series: await each(client, pid, series, queries) });
    }
    const what = 'fifty rows of the same size out of no table';
    return [
      cost(
        'list-sql',
        'µs CPU/query',
        samples.map((one) => one.ours),
        what,
        samples.map((one) => one.series),
      ),
    ];
  } finally {
    await client.end();
  }
}

/** The guide's BenchmarkDatabaseQuery, on the real schema, as the role that serves tenants, under row-level security. */
export function listSql(effort: Effort, context: BenchContext): Promise<Measurement[]> {
  return withStack(context, { env: QUIET, simHosts: 2 }, async (stack) => {
    await runningVms(stack, 'own', 100);
    await stack.admin.query('VACUUM ANALYZE orchestrator.vms');
    return rounds(stack, effort);
  });
}
