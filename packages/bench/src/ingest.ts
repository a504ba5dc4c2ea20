import { sleep } from '@novacron/async/sleep';
import { withStack, type BenchStack } from './bench-stack.js';
import type { Benchmark } from './benchmark.js';
import { closedLoop } from './closed-loop.js';
import { pgbench } from './pgbench.js';
import { median } from './stats.js';

const VMS = 100;
const POINTS_A_SERIES = 100;
const PUSHES_IN_FLIGHT = 4;
const INSERTERS = 8;
const GIVE_UP_S = 60;

/** A point to a transaction, into a table with the columns and the index of the real one. */
const SINGLE_ROW = `\\set i :i + 1
INSERT INTO metrics.bench_points (tenant_id, vm_id, metric_id, ts, value, pos)
  VALUES (:tenant::uuid, :vm::uuid, 1000, :run::bigint * 1000000000 + :client_id * 10000000 + :i, 0.5, :i);
`;

/** Points that metrics-ingest has committed so far. */
async function stored(stack: BenchStack): Promise<number> {
  const text = 'SELECT coalesce(sum(rows), 0)::float8 AS rows FROM metrics.intake';
  const { rows } = await stack.admin.query<{ rows: number }>(text);
  return rows[0]?.rows ?? 0;
}

async function makeVms(stack: BenchStack): Promise<string[]> {
  const one = async (_: unknown, i: number): Promise<string> => {
    const { id } = JSON.parse(await stack.api.create(`metered-${i}`)) as { id: string };
    await stack.api.wait(id, 'running');
    return id;
  };
  return Promise.all(Array.from({ length: VMS }, one));
}

/** Points a second from the first push until the last point is committed. */
async function pushed(stack: BenchStack, vmIds: readonly string[], seconds: number): Promise<number> {
  const before = await stored(stack);
  const start = performance.now();
  let time = Date.now() - 3_600_000;
  const { count } = await closedLoop({ inFlight: PUSHES_IN_FLIGHT, seconds }, async () => {
    const from = (time += POINTS_A_SERIES);
    const points = Array.from({ length: POINTS_A_SERIES }, (_, i) => [from + i, i / 7]);
    const series = vmIds.map((vmId) => ({ vmId, metric: 'bench_value', points }));
    const { status, text } = await stack.api.call('POST', '/api/v1/metrics/ingest', { series });
    if (status !== 202) throw new Error(`a push was answered ${status}: ${text.slice(0, 300)}`);
  });
  const points = count * VMS * POINTS_A_SERIES;
  while ((await stored(stack)) - before < points) {
    if (performance.now() - start > GIVE_UP_S * 1_000) throw new Error('not all points were stored');
    await sleep(20);
  }
  return (points * 1_000) / (performance.now() - start);
}

export const ingest: Benchmark = {
  name: 'ingest',
  about: 'metric points pushed through gateway, JetStream and COPY, against INSERTs of one row',
  run: (context) =>
    withStack(context, { env: { NOVACRON_AGENT_METRICS_INTERVAL_MS: '3600000' } }, async (stack) => {
      const vmIds = await makeVms(stack);
      await stack.admin.query('CREATE TABLE metrics.bench_points (LIKE metrics.points INCLUDING INDEXES)');
      await stack.admin.query('GRANT INSERT ON metrics.bench_points TO metrics_sys');
      const password = stack.secrets.roles.metrics.sys;
      const login = { port: stack.primaryPort, user: 'metrics_sys', password, database: 'novacron' };
      const seconds = context.quick ? 2 : 5;
      const variables = { tenant: stack.secrets.tenantId, vm: vmIds[0] ?? '', i: 0 };
      await pushed(stack, vmIds, 2);
      const rates: number[] = [];
      const baseline: number[] = [];
      for (let run = 1; run <= (context.quick ? 1 : 5); run++) {
        rates.push(await pushed(stack, vmIds, seconds));
        const options = { script: SINGLE_ROW, variables: { ...variables, run }, clients: INSERTERS, seconds };
        baseline.push(await pgbench(login, options));
        context.progress(
          `ingest: round ${run}: ${rates.at(-1)?.toFixed(0)} points/s, INSERT ${baseline.at(-1)?.toFixed(0)}`,
        );
      }
      return [
        {
          name: 'ingest.rate',
          value: median(rates),
          unit: 'points/s',
          samples: rates,
          baseline: {
            what: `pgbench, INSERT of one row, ${INSERTERS} clients`,
            value: median(baseline),
            samples: baseline,
          },
          ratio: median(rates.map((rate, i) => rate / (baseline[i] ?? NaN))),
        },
      ];
    }),
};
