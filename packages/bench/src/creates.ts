import { sleep } from '@novacron/async/sleep';
import { makeBaseline, settle, strayStatements } from './baseline-database.js';
import { liveJobs, withStack, type BenchStack } from './bench-stack.js';
import type { BenchContext, Benchmark, Measurement } from './benchmark.js';
import { closedLoop, type Loop } from './closed-loop.js';
import { cpuPerItem, cpuUse, type CpuUse } from './cpu.js';
import { createScript, pipelinedScript } from './create-statements.js';
import { createTemplates } from './create-templates.js';
import { pgbench } from './pgbench.js';
import { median, quantile } from './stats.js';

const IN_FLIGHT = 50;
/** No metrics of the thousands of VMs that earlier rounds left running: they would load both sides. */
const QUIET = { NOVACRON_AGENT_METRICS_INTERVAL_MS: '3600000' };

interface Round {
  readonly creates: Loop;
  readonly plain: number;
  readonly pipelined: number;
  /** of a create, by component; with the jobs that it led to where workers are at work */
  readonly cpu: CpuUse;
  /** of a transaction of pgbench, on the primary */
  readonly plainCpu: number;
}

interface Mode {
  readonly name: string;
  readonly note: string;
  readonly env: Readonly<Record<string, string>>;
  /** so that nothing of the creates goes on while pgbench runs */
  readonly quieten: (stack: BenchStack) => Promise<void>;
}

const MODES: readonly Mode[] = [
  {
    name: 'creates',
    note: 'the workers build the VMs meanwhile',
    env: QUIET,
    quieten: async (stack) => {
      while ((await liveJobs(stack)) > 0) await sleep(200);
    },
  },
  {
    name: 'creates-alone',
    note: 'the workers held back to one job at a time',
    env: { ...QUIET, NOVACRON_JOB_SLOTS: '1' },
    quieten: async (stack) => {
      await stack.admin.query('TRUNCATE orchestrator.jobs, orchestrator.vms, orchestrator.placements');
    },
  },
];

async function measure(context: BenchContext, mode: Mode, stack: BenchStack): Promise<Round[]> {
  const variables = await createTemplates(stack);
  const stray = await strayStatements(stack);
  if (stray.length > 0) {
    throw new Error(
      `the orchestrator does not run these statements of the baseline any more: ${stray.join('\n')}`,
    );
  }
  const login = await makeBaseline(stack, String(variables['tenant']));
  const seconds = context.quick ? 2 : 6;
  let created = 0;
  const create = async (): Promise<void> => void (await stack.api.create(`web-${created++}`));
  const base = (script: string, run: number, forSeconds = seconds) =>
    pgbench(login, {
      script,
      variables: { ...variables, run, i: 0 },
      clients: IN_FLIGHT,
      seconds: forSeconds,
    });

  context.progress(`${mode.name}: warming up`);
  await closedLoop({ inFlight: IN_FLIGHT, seconds: context.quick ? 2 : 5 }, create);
  await mode.quieten(stack);
  await base(createScript(), 1, 2);
  const rounds: Round[] = [];
  for (let round = 1; round <= (context.quick ? 1 : 5); round++) {
    await settle(stack);
    const idle = cpuUse(stack.process);
    const creates = await closedLoop({ inFlight: IN_FLIGHT, seconds }, create);
    await mode.quieten(stack);
    const cpu = cpuPerItem(idle, cpuUse(stack.process), creates.count);
    await settle(stack);
    const before = cpuUse(stack.process);
    const plain = await base(createScript(), 2 * round);
    const plainCpu = cpuPerItem(before, cpuUse(stack.process), plain * seconds)['postgres-primary'] ?? 0;
    await settle(stack);
    const pipelined = await base(pipelinedScript(), 2 * round + 1);
    const rate = creates.count / creates.seconds;
    const figures = `${rate.toFixed(0)} creates/s, pgbench ${plain.toFixed(0)}, pipelined ${pipelined.toFixed(0)}`;
    context.progress(`${mode.name}: round ${round}: ${figures}`);
    rounds.push({ creates, plain, pipelined, cpu, plainCpu });
  }
  return rounds;
}

function against(mode: Mode, rounds: readonly Round[], of: 'plain' | 'pipelined'): Measurement {
  const rates = rounds.map(({ creates }) => creates.count / creates.seconds);
  const baseline = rounds.map((round) => round[of]);
  const plain = of === 'plain';
  return {
    name: plain ? `${mode.name}.rate` : `${mode.name}.rate-pipelined`,
    value: median(rates),
    unit: 'creates/s',
    samples: rates,
    baseline: {
      what: plain ? 'pgbench, one create to a transaction' : 'the same, pipelined as the orchestrator does',
      value: median(baseline),
      samples: baseline,
    },
    ratio: median(rates.map((rate, i) => rate / (baseline[i] ?? NaN))),
    ...(plain ? { target: { of: 'ratio' as const, atLeast: 1 } } : {}),
    note: mode.note,
  };
}

function answered(mode: Mode, rounds: readonly Round[], share: number): Measurement {
  const samples = rounds.map(({ creates }) => quantile(creates.latencies, share));
  const target = share === 0.95 ? { target: { of: 'value' as const, atMost: 100 } } : {};
  return {
    name: `${mode.name}.answered-p${share * 100}`,
    value: median(samples),
    unit: 'ms',
    samples,
    ...target,
  };
}

/** By component, and together; Postgres' share against what a transaction of pgbench costs it. */
function cpuFigures(mode: Mode, rounds: readonly Round[]): Measurement[] {
  const figure = (component: string, samples: readonly number[]): Measurement => ({
    name: `${mode.name}.cpu-${component}`,
    value: median(samples),
    unit: 'ms/create',
    samples,
  });
  const components = Object.keys(rounds[0]?.cpu ?? {});
  const total = rounds.map(({ cpu }) => Object.values(cpu).reduce((sum, ms) => sum + ms, 0));
  const figures = components.map((name) =>
    figure(
      name,
      rounds.map(({ cpu }) => cpu[name] ?? 0),
    ),
  );
  return [
    ...figures,
    figure('total', total),
    figure(
      'pgbench-primary',
      rounds.map((round) => round.plainCpu),
    ),
  ];
}

export const creates: Benchmark = {
  name: 'creates',
  about: `durable creates at ${IN_FLIGHT} in flight, one tenant, against bare pgbench running the same statements`,
  async run(context) {
    const measurements: Measurement[] = [];
    for (const mode of MODES) {
      const rounds = await withStack(context, { env: mode.env, simHosts: 100 }, (stack) =>
        measure(context, mode, stack),
      );
      measurements.push(against(mode, rounds, 'plain'), against(mode, rounds, 'pipelined'));
      measurements.push(...[0.5, 0.95, 0.99].map((share) => answered(mode, rounds, share)));
      measurements.push(...cpuFigures(mode, rounds));
    }
    return measurements;
  },
};
