import { existsSync, lstatSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot, type StackConfig } from '../config.js';
import { currentPorts } from '../home/ports.js';
import { loadSecrets } from '../home/secrets.js';
import { readStatus, runningStack, stackPidFile } from '../home/status.js';
import { wholeTopology } from '../home/topology.js';
import { layout, type Layout, logFile } from '../layout.js';
import { phase } from '../phase.js';
import { removePostgres } from '../servers/postgres-server.js';
import { StackError } from '../stack-error.js';
import { readiness } from '../stack/services.js';
import { programsInStopOrder } from '../stack/stack.js';
import type { ComponentStatus } from '../supervisor/component.js';
import { allProcesses, endGuests, endLeftovers, guests } from '../supervisor/leftovers.js';
import { follow, tail } from '../supervisor/log-tail.js';
import { commandLine, endProcess, waitUntil } from '../supervisor/processes.js';

function age(since: string): string {
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(since)) / 1000));
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

function row(status: ComponentStatus): string[] {
  const { name, state, pid, restarts, since, detail } = status;
  return [name, state, pid === undefined ? '-' : String(pid), String(restarts), age(since), detail ?? ''];
}

/** Lines of a table with aligned columns. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths =
    rows[0]?.map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0))) ?? [];
  return rows
    .map((cells) =>
      cells
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Adds a service's own readiness, because a running service may still wait for a dependency. */
async function withReadiness(component: ComponentStatus): Promise<ComponentStatus> {
  if (component.state !== 'running' || component.opsPort === undefined) return component;
  const { ready, missing } = await readiness(component.opsPort);
  return ready ? component : { ...component, state: 'not ready', ...(missing ? { detail: missing } : {}) };
}

/** Prints the components. @returns the exit code: 0 all run, 1 some do not, 3 the stack does not run */
export async function status(config: StackConfig, output: string): Promise<number> {
  const paths = layout(config.home);
  const pid = runningStack(paths);
  const written = pid === undefined ? undefined : readStatus(paths);
  const last = written && {
    ...written,
    components: await Promise.all(written.components.map(withReadiness)),
  };
  if (output === 'json') {
    process.stdout.write(
      `${JSON.stringify({ running: pid !== undefined, ...(pid ? { pid } : {}), ...last }, null, 2)}\n`,
    );
  } else if (last === undefined) {
    process.stdout.write(`NovaCron does not run in ${paths.home}. Start it: npm start\n`);
  } else {
    const head = ['NAME', 'STATE', 'PID', 'RESTARTS', 'SINCE', 'DETAIL'];
    process.stdout.write(`${last.url}  ${last.phase}\n${table([head, ...last.components.map(row)])}\n`);
  }
  if (last === undefined) return 3;
  return last.components.every((component) => component.state === 'running') ? 0 : 1;
}

async function endEverything(config: StackConfig, paths: Layout): Promise<void> {
  if (!existsSync(join(paths.secrets, 'secrets.json'))) return;
  const settings = {
    paths,
    config: { ...config, httpHost: '127.0.0.1' },
    secrets: loadSecrets(paths),
    ports: currentPorts(paths),
    topology: wholeTopology(paths),
  };
  await endLeftovers(paths, programsInStopOrder(settings, { repository: repositoryRoot }));
  await endGuests(paths);
}

/** Ends the running stack, waits until it is gone, and ends the leftovers of a crashed stack. */
export async function stop(config: StackConfig): Promise<void> {
  const paths = layout(config.home);
  const pid = runningStack(paths);
  if (pid === undefined) {
    const left = guests(paths).length;
    await endEverything(config, paths);
    process.stderr.write(
      `NovaCron does not run in ${paths.home}${left ? `; ended ${left} leftover guests` : ''}\n`,
    );
    return;
  }
  await phase('stopping', async () => {
    await endProcess(pid, { graceMs: 90_000, pidFile: stackPidFile(paths) });
    await endEverything(config, paths);
  });
}

const ownEntries = [
  'run',
  'log',
  'secrets',
  'data',
  'agents',
  'images',
  'env',
  'ports.json',
  'topology.json',
  'compile-cache',
];

/** Ends the stack and removes all of its state. Other files in the home stay. */
export async function reset(config: StackConfig): Promise<void> {
  const paths = layout(config.home);
  if (!existsSync(paths.home))
    throw new StackError(`${paths.home} does not exist`, 'There is nothing to reset');
  await stop(config).catch(async (error: unknown) => {
    if (!(error instanceof StackError)) throw error;
    await endByDirectory(paths); // the state may be damaged, and reset must work then too
  });
  // Includes the data that a restore moved aside.
  const servers = existsSync(paths.data)
    ? readdirSync(paths.data).filter((name) => name.startsWith('postgres-'))
    : [];
  for (const name of servers) removePostgres(join(paths.data, name));
  for (const entry of ownEntries) rmSync(join(paths.home, entry), { recursive: true, force: true });
  if (readdirSync(paths.home).length === 0 && !lstatSync(paths.home).isSymbolicLink()) rmdirSync(paths.home);
  process.stderr.write(`removed all state in ${paths.home}\n`);
}

async function endByDirectory(paths: Layout): Promise<void> {
  const own = [`--stack=${paths.home}`, `${paths.home}/data/`, `${paths.agents}/`];
  const found = allProcesses().filter(({ args }) =>
    args.some((arg) => own.some((text) => arg.includes(text))),
  );
  for (const { pid, args } of found) {
    if (pid !== process.pid && commandLine(pid) !== undefined) {
      await endProcess(pid, {
        signal: args[0]?.endsWith('postgres') ? 'SIGINT' : 'SIGTERM',
        graceMs: 10_000,
      });
    }
  }
}

/** Prints the end of a component's log, and with `follow` new lines until Ctrl-C. */
export async function logs(
  config: StackConfig,
  name: string,
  options: { follow: boolean; lines: number },
): Promise<void> {
  const paths = layout(config.home);
  const file = logFile(paths, name);
  if (!existsSync(file)) {
    const known = existsSync(paths.log)
      ? readdirSync(paths.log)
          .filter((f) => f.endsWith('.log'))
          .map((f) => f.slice(0, -4))
      : [];
    throw new StackError(
      `there is no log of ${JSON.stringify(name)}`,
      known.length ? `There are: ${known.sort().join(', ')}` : 'Start the stack first: npm start',
    );
  }
  const { lines, end } = tail(file, options.lines);
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
  if (!options.follow) return;
  const ended = new AbortController();
  process.once('SIGINT', () => ended.abort());
  await follow(file, end, (text) => process.stdout.write(text), ended.signal);
}

/** Prints the `env` file. */
export function printEnv(config: StackConfig): void {
  const { env } = layout(config.home);
  if (!existsSync(env)) throw new StackError(`${env} does not exist`, 'Start the stack first: npm start');
  process.stdout.write(readFileSync(env, 'utf8'));
}

/** Waits until the running stack shows `name` as running. */
export async function waitForComponent(
  paths: Layout,
  name: string,
  withinMs: number,
): Promise<ComponentStatus | undefined> {
  const find = () => readStatus(paths)?.components.find((component) => component.name === name);
  await waitUntil(async () => find()?.state === 'running', withinMs);
  return find();
}
