import { closeSync, openSync, writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { phase } from '@novacron/local-stack/phase';
import { ensureServers } from '@novacron/local-stack/servers/install';
import { report } from './report.js';
import { runHistory, type RunResult } from './run.js';
import { sabotages, type SabotageName } from './sabotages.js';

const usage = `usage: npm run history -- [options]
  --operations N     how many (default 100000)
  --seed N           what the run does and breaks (default: drawn, and printed)
  --sessions N       of each of three tenants (default 8)
  --longest-lag MS   a replica is held up for so long at most (default 6000)
  --no-faults        nothing breaks; a replica is still delayed at random
  --write FILE       every operation and fault, a line of JSON each
  --sabotage NAME    with a deliberate bug: ${Object.keys(sabotages).join(', ')}
Exit code 1 when a promise was broken.
`;

const options = {
  operations: { type: 'string', default: '100000' },
  seed: { type: 'string' },
  sessions: { type: 'string', default: '8' },
  'longest-lag': { type: 'string', default: '6000' },
  'no-faults': { type: 'boolean', default: false },
  write: { type: 'string' },
  sabotage: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const;

function whole(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new Error(`--${name} must be a whole number, not ${text}`);
  return value;
}

function sabotageNamed(name: string): SabotageName {
  if (!Object.hasOwn(sabotages, name)) throw new Error(`unknown sabotage ${name}`);
  return name as SabotageName;
}

function writeHistory(path: string, { history: { operations, faults } }: RunResult): void {
  const file = openSync(path, 'w');
  for (const line of [...faults, ...operations]) writeSync(file, `${JSON.stringify(line)}\n`);
  closeSync(file);
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options });
  if (values.help) return void process.stdout.write(usage);
  const seed = whole('seed', values.seed ?? String(Math.floor(Math.random() * 1_000_000_000)));
  process.stdout.write(`seed ${seed}\n`);
  await ensureServers(phase, { qemu: true });
  const begun = performance.now();
  const result = await runHistory({
    seed,
    operations: whole('operations', values.operations),
    sessions: whole('sessions', values.sessions),
    longestLagMs: whole('longest-lag', values['longest-lag']),
    faults: !values['no-faults'],
    ...(values.sabotage === undefined ? {} : { sabotage: sabotageNamed(values.sabotage) }),
    say: (line) =>
      process.stderr.write(`${((performance.now() - begun) / 1_000).toFixed(0).padStart(5)} s  ${line}\n`),
  });
  if (values.write !== undefined) writeHistory(values.write, result);
  process.stdout.write(`${report(seed, result)}\n`);
  if (result.violations.length > 0) process.exitCode = 1;
}

main().catch((error: unknown) => {
  process.stderr.write(
    `history: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  process.exitCode = 2;
});
