import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '@novacron/local-stack/config';
import { Argument, Command, InvalidArgumentError } from 'commander';
import type { BenchContext, Measurement } from '../benchmark.js';
import { GUIDE_PARTS, type GuidePart, measurePart } from '../guide/guide.js';
import { describeMachine } from '../machine.js';
import { type Baseline, readBaseline, writeBaseline } from './baseline.js';
import { compare, type Finding, findingsTable, isFailure } from './compare.js';

const PARTS = Object.keys(GUIDE_PARTS) as GuidePart[];

interface Options {
  readonly write: boolean;
  readonly quick: boolean;
  readonly baseline: string;
  /** percent */
  readonly limit: number;
  readonly json?: string;
}

const startedAt = performance.now();
const progress = (line: string): void => {
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0);
  process.stderr.write(`${seconds.padStart(4)} s  ${line}\n`);
};

/** The baseline's names that a part makes: `guide.list`, `guide.list-allocated`; `guide.list-sql` is another's. */
function ofPart(baseline: Baseline, part: GuidePart): Pick<Baseline, 'measurements'> {
  const owner = (name: string) =>
    PARTS.filter((one) => name === `guide.${one}` || name.startsWith(`guide.${one}-`)).sort(
      (a, b) => b.length - a.length,
    )[0];
  const own = Object.entries(baseline.measurements).filter(([name]) => owner(name) === part);
  return { measurements: Object.fromEntries(own) };
}

/** What no part makes: a benchmark that is gone. */
function strangers(baseline: Baseline): Finding[] {
  const owned = new Set(PARTS.flatMap((part) => Object.keys(ofPart(baseline, part).measurements)));
  return Object.keys(baseline.measurements)
    .filter((name) => !owned.has(name))
    .map((name) => ({ name, verdict: 'not measured' }));
}

/** Measured once more when it looks worse: a bad minute of a shared machine seldom comes twice. */
async function checkPart(
  part: GuidePart,
  baseline: Baseline,
  context: BenchContext,
  limit: number,
): Promise<{ measurements: Measurement[]; findings: Finding[] }> {
  const known = ofPart(baseline, part);
  const once = await measurePart(part, context);
  const first = compare(known, once, limit);
  const suspects = first.filter(({ verdict }) => verdict === 'worse').map(({ name }) => name);
  if (suspects.length === 0) return { measurements: once, findings: first };
  progress(`${suspects.join(', ')} looks worse: once more`);
  const measurements = await measurePart(part, context);
  const findings = compare(known, measurements, limit).map((one): Finding =>
    one.verdict === 'worse' && !suspects.includes(one.name) ? { ...one, verdict: 'ok' } : one,
  );
  return { measurements, findings };
}

async function main(given: readonly GuidePart[], options: Options): Promise<void> {
  const parts = given.length === 0 ? PARTS : PARTS.filter((part) => given.includes(part));
  const context: BenchContext = { progress, quick: options.quick, cold: false };
  const measurements: Measurement[] = [];
  if (options.write) {
    for (const part of parts) measurements.push(...(await measurePart(part, context)));
    writeBaseline(options.baseline, measurements);
    process.stdout.write(`written: ${options.baseline}\n`);
    return;
  }
  const baseline = readBaseline(options.baseline);
  const findings: Finding[] = strangers(baseline);
  for (const part of parts) {
    const checked = await checkPart(part, baseline, context, options.limit / 100);
    measurements.push(...checked.measurements);
    findings.push(...checked.findings);
  }
  const at = new Date().toISOString();
  if (options.json !== undefined) {
    const results = { version: 1, at, machine: describeMachine(), findings, measurements };
    writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`);
  }
  const failures = findings.filter(isFailure);
  process.stdout.write(findingsTable(findings));
  process.stdout.write(failures.length > 0 ? `${failures.length} FAILED\n` : 'no regression\n');
  if (failures.length > 0) process.exitCode = 1;
}

function percent(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('It is a number above 0.');
  return value;
}

const program = new Command('novacron-bench-check')
  .description("Compares the guide's three benchmarks with the committed baseline, by ratios.")
  .addArgument(new Argument('[parts...]', 'which (default: all)').choices(PARTS))
  .option('--baseline <file>', 'the baseline', join(repositoryRoot, 'packages', 'bench', 'baseline.json'))
  .option('--write', 'write the baseline instead', false)
  .option('--limit <percent>', 'how much worse is a regression', percent, 10)
  .option('--quick', 'fewer and shorter rounds', false)
  .option('--json <file>', 'also write findings and measurements there')
  .action(main);

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

await program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`bench:check: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
