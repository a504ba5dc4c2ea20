import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import type { BenchContext, Benchmark } from './benchmark.js';
import { burst } from './burst.js';
import { creates } from './creates.js';
import { guide } from './guide/guide.js';
import { ingest } from './ingest.js';
import { latency } from './latency.js';
import { describeMachine, now } from './machine.js';
import { memory } from './memory.js';
import { reads } from './reads/reads.js';
import { recovery } from './recovery.js';
import { refusals } from './refusals.js';
import { type Outcome, type Report, table, writeReport } from './report.js';
import { start } from './start.js';

const BENCHMARKS: readonly Benchmark[] = [
  creates,
  burst,
  latency,
  ingest,
  reads,
  refusals,
  guide,
  start,
  recovery,
  memory,
];

interface Options {
  readonly output: 'table' | 'json';
  readonly json?: string;
  readonly quick: boolean;
  readonly cold: boolean;
  readonly profile?: string;
}

async function runOne(benchmark: Benchmark, context: BenchContext): Promise<Outcome> {
  const before = now();
  try {
    const measurements = await benchmark.run(context);
    return { benchmark: benchmark.name, before, after: now(), measurements };
  } catch (error) {
    context.progress(`${benchmark.name} failed: ${(error as Error).stack}`);
    const [reason = ''] = (error as Error).message.split('\n');
    return { benchmark: benchmark.name, before, after: now(), measurements: [], error: reason };
  }
}

async function run(names: readonly string[], options: Options): Promise<void> {
  const unknown = names.filter((name) => !BENCHMARKS.some((one) => one.name === name));
  if (unknown.length > 0) {
    program.error(
      `there is no benchmark ${unknown.join(', ')}; there are ${BENCHMARKS.map((one) => one.name).join(' ')}`,
    );
  }
  const startedAt = performance.now();
  const profileDir = options.profile === undefined ? undefined : resolve(options.profile);
  if (profileDir) mkdirSync(profileDir, { recursive: true });
  const context: BenchContext = {
    quick: options.quick,
    cold: options.cold,
    ...(profileDir ? { profileDir } : {}),
    progress: (line) => {
      const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0);
      process.stderr.write(`${seconds.padStart(4)} s  ${line}\n`);
    },
  };
  const chosen = BENCHMARKS.filter((one) => names.length === 0 || names.includes(one.name));
  const outcomes: Outcome[] = [];
  for (const benchmark of chosen) {
    context.progress(`${benchmark.name}: ${benchmark.about}`);
    outcomes.push(await runOne(benchmark, context));
  }
  const at = new Date().toISOString();
  const report: Report = { version: 1, at, machine: describeMachine(), quick: options.quick, outcomes };
  if (options.json) writeReport(options.json, report);
  process.stdout.write(options.output === 'json' ? `${JSON.stringify(report, null, 2)}\n` : table(report));
  if (outcomes.some(({ error }) => error !== undefined)) process.exitCode = 1;
}

const program = new Command('novacron-bench')
  .description('Benchmarks of NovaCron on this machine, each on a stack of its own.')
  .argument('[names...]', `which: ${BENCHMARKS.map((one) => one.name).join(' ')} (default: all)`)
  .addOption(new Option('-o, --output <format>', 'what to print').choices(['table', 'json']).default('table'))
  .option('--json <file>', 'also write the results file')
  .option('--quick', 'one short round each: shows that they work, makes no figures', false)
  .option('--cold', 'start: also from a fresh clone', false)
  .option('--profile <dir>', 'keep a CPU profile of each process of the stacks')
  .addHelpText('after', `\n${BENCHMARKS.map((one) => `  ${one.name.padEnd(8)} ${one.about}`).join('\n')}\n`)
  .action(run);

// An interrupted benchmark ends its stack: StackProcess does so when this process exits.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

await program.parseAsync();
