import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { StackProcess } from '@novacron/local-stack/stack/stack-process';
import { Command, Option } from 'commander';
import { Api } from '../api.js';
import { withStack } from '../bench-stack.js';
import { cleanUp } from './clean-up.js';
import { findK6, runK6 } from './k6.js';
import { type Demands, scenario, summarise, table } from './scenario.js';
import type { Restart } from './rolling-restart.js';
import { withPairs } from './under-restarts.js';
import { runUsers } from './users.js';

const PROFILES = Object.keys(scenario.PROFILES);

interface Options {
  readonly profile: string | undefined;
  readonly short?: boolean;
  readonly tool?: 'k6' | 'autocannon';
  readonly url?: string;
  readonly token?: string;
  readonly strict: boolean;
  readonly rollingRestart: boolean;
  readonly json: string;
}

type Chosen = Options & { readonly profile: string };

interface Target {
  readonly url: string;
  readonly token: string;
}

function demandsOf({ strict, rollingRestart }: Pick<Options, 'strict' | 'rollingRestart'>): Demands {
  return strict ? 'strict' : rollingRestart ? 'lossless' : 'guide';
}

const startedAt = performance.now();
const progress = (line: string): void => {
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0);
  process.stderr.write(`${seconds.padStart(4)} s  ${line}\n`);
};

/** The first Ctrl-C ends the load; what it created is still deleted. A second one ends everything. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.on(name, () => (controller.signal.aborted ? process.exit(130) : controller.abort()));
  return controller.signal;
}

async function withAutocannon(target: Target, { profile, json, ...options }: Chosen): Promise<boolean> {
  const api = new Api(target.url, target.token, 16);
  const signal = interruption();
  const run = scenario.newRun();
  const at = new Date().toISOString();
  try {
    const stages = scenario.PROFILES[profile] ?? [];
    const { recorder, seconds, mostUsers } = await runUsers({
      urls: [target.url],
      token: target.token,
      stages,
      run,
      signal,
      progress,
    });
    const facts = { tool: 'autocannon', at, profile, url: target.url, users: mostUsers, seconds };
    const summary = summarise(recorder.metrics(seconds), facts, demandsOf(options));
    writeFileSync(json, `${JSON.stringify(summary, null, 2)}\n`);
    process.stdout.write(table(summary));
    for (const [reason, count] of recorder.reasons)
      process.stdout.write(`not as due, ${count} times: ${reason}\n`);
    if (signal.aborted) process.stdout.write('interrupted: the figures are of a part of the profile\n');
    return summary.passed && !signal.aborted;
  } finally {
    try {
      progress(`${await cleanUp(api, run)} VMs of the run are deleted`);
    } finally {
      await api.close();
    }
  }
}

async function load(target: Target, options: Chosen): Promise<boolean> {
  const k6 = options.tool === 'autocannon' ? undefined : findK6();
  if (options.tool === 'k6' && k6 === undefined)
    throw new Error('k6 is not on PATH: install it (https://k6.io/docs), or take --tool autocannon');
  progress(`${k6 === undefined ? 'autocannon' : k6}, profile ${options.profile}, ${target.url}`);
  if (k6 === undefined) return withAutocannon(target, options);
  return (
    (await runK6(k6, {
      url: target.url,
      token: target.token,
      profile: options.profile,
      demands: demandsOf(options),
      results: options.json,
    })) === 0
  );
}

/** The load through nginx, while every service is restarted repeatedly. No request may fail. */
function restarting(stack: StackProcess, options: Chosen): Promise<boolean> {
  return withPairs(stack, async ({ url, restartAll }) => {
    const over = new AbortController();
    let whole = 0;
    const report = ({ name, ms }: Restart) =>
      progress(`${name} was restarted in ${(ms / 1_000).toFixed(1)} s`);
    const restarts = (async () => {
      while (!over.signal.aborted) if (await restartAll(over.signal, report)) whole += 1;
    })();
    // A failure of the restarts does not interrupt the load. It is awaited afterwards.
    restarts.catch(() => undefined);
    const passed = await load({ url, token: stack.token }, options).finally(() => over.abort());
    await restarts;
    process.stdout.write(`every service was restarted ${whole} times\n`);
    return passed && whole > 0;
  });
}

async function main(given: Options): Promise<void> {
  const usual = given.short ? 'short' : given.rollingRestart ? 'rolling' : 'guide';
  const options = { ...given, profile: given.profile ?? usual, json: resolve(given.json) };
  const { url, token } = options;
  if (url !== undefined && !token)
    throw new Error('with --url an API token is needed: --token, or AUTH_TOKEN');
  if (url !== undefined && options.rollingRestart)
    throw new Error('--rolling-restart is of a stack of its own: leave --url and BASE_URL away');
  const passed =
    url === undefined
      ? await withStack({ progress, quick: false, cold: false }, {}, ({ process: stack }) =>
          (options.rollingRestart ? restarting : load)(stack, options),
        )
      : await load({ url: url.replace(/\/$/, ''), token: token ?? '' }, options);
  process.stdout.write(`results: ${options.json}\n${passed ? 'passed' : 'FAILED'}\n`);
  if (!passed) process.exitCode = 1;
}

const program = new Command('novacron-load')
  .description("The guide's load scenario, with k6 where it is installed, else with autocannon.")
  .addOption(
    new Option('--profile <name>', 'how many users, and for how long; default: guide').choices(PROFILES),
  )
  .option('--short', 'the same as --profile short')
  .addOption(new Option('--tool <name>', 'default: k6 if it is on PATH').choices(['k6', 'autocannon']))
  .addOption(new Option('--url <url>', 'a running NovaCron; default: a stack of its own').env('BASE_URL'))
  .addOption(new Option('--token <token>', 'its API token').env('AUTH_TOKEN'))
  .option('--strict', 'our own aims are thresholds too: lists 50 ms, creates 200 ms, no error', false)
  .option('--rolling-restart', 'meanwhile restart every service in turn, two of each behind nginx', false)
  .option('--json <file>', 'the results file', 'load-results.json')
  .action(main);

await program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`load: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
