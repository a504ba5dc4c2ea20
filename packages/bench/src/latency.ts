import { withStack } from './bench-stack.js';
import type { Benchmark, Measurement, Target } from './benchmark.js';
import { closedLoop } from './closed-loop.js';
import { median, quantile } from './stats.js';

const IN_FLIGHT = 50;

interface Round {
  readonly answered: number[];
  readonly running: readonly number[];
}

function figure(
  name: string,
  rounds: readonly (readonly number[])[],
  share: number,
  target?: Target,
): Measurement {
  const samples = rounds.map((latencies) => quantile(latencies, share));
  return { name, value: median(samples), unit: 'ms', samples, ...(target ? { target } : {}) };
}

export const latency: Benchmark = {
  name: 'latency',
  about: `create and wait until it runs, ${IN_FLIGHT} in flight, on simulated hosts that take no time`,
  run: (context) => {
    const env = { NOVACRON_AGENT_SIM_LATENCY: '0', NOVACRON_AGENT_METRICS_INTERVAL_MS: '3600000' };
    return withStack(context, { env, simHosts: 100 }, async (stack) => {
      let created = 0;
      const loop = async (seconds: number): Promise<Round> => {
        const answered: number[] = [];
        const { latencies: running } = await closedLoop({ inFlight: IN_FLIGHT, seconds }, async () => {
          const start = performance.now();
          const { id } = JSON.parse(await stack.api.create(`web-${created++}`)) as { id: string };
          answered.push(performance.now() - start);
          await stack.api.wait(id, 'running');
        });
        return { answered, running };
      };
      await loop(context.quick ? 2 : 5);
      const rounds: Round[] = [];
      for (let round = 1; round <= (context.quick ? 1 : 5); round++) {
        const one = await loop(context.quick ? 2 : 6);
        const p95 = (latencies: readonly number[]) => quantile(latencies, 0.95).toFixed(0);
        const figures = `p95 ${p95(one.answered)} ms answered, ${p95(one.running)} ms running`;
        context.progress(`latency: round ${round}: ${one.running.length} VMs, ${figures}`);
        rounds.push(one);
      }
      const answered = rounds.map((round) => round.answered);
      const running = rounds.map((round) => round.running);
      return [
        figure('latency.answered-p50', answered, 0.5),
        figure('latency.answered-p95', answered, 0.95, { of: 'value', atMost: 100 }),
        figure('latency.answered-p99', answered, 0.99),
        figure('latency.running-p50', running, 0.5),
        figure('latency.running-p95', running, 0.95, { of: 'value', atMost: 250 }),
        figure('latency.running-p99', running, 0.99),
      ];
    });
  },
};
