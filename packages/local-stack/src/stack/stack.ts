import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Periodic } from '@novacron/async/periodic';
import { repositoryRoot } from '../config.js';
import { ensureDefaultAgents, listAgents } from '../home/agents.js';
import { checkFixedPorts, makeDirectories, takeHome } from '../home/home.js';
import { choosePorts, currentPorts } from '../home/ports.js';
import { loadSecrets } from '../home/secrets.js';
import { stackPidFile, type StackStatus, StatusWriter } from '../home/status.js';
import { postgresNames, promoted, rememberPrimary, topologyOf } from '../home/topology.js';
import { ensureTinyLinux } from '../image/tiny-linux.js';
import { layout, type Layout, logFile } from '../layout.js';
import type { Progress } from '../progress.js';
import { ensureServers, missingServers } from '../servers/install.js';
import { postgresProgram } from '../servers/postgres-server.js';
import { promoteStandby } from '../servers/postgres-standby.js';
import { StackError } from '../stack-error.js';
import type { Component } from '../supervisor/component.js';
import { endGuests, endLeftovers } from '../supervisor/leftovers.js';
import { rotate } from '../supervisor/log-tail.js';
import type { Program } from '../supervisor/processes.js';
import { Supervisor } from '../supervisor/supervisor.js';
import { agentComponents, seedTokens, serviceComponents } from './apps.js';
import { envFile, gatewayUrl, type StackSettings } from './environment.js';
import {
  natsComponent,
  postgresOptions,
  primaryComponent,
  redisComponent,
  replicaComponent,
  writeNatsUsers,
} from './servers.js';

export interface StackOptions {
  readonly config: StackSettings['config'];
  /** the directory that contains apps/ */
  readonly repository: string;
  /** streaming replicas of Postgres */
  readonly replicas: number;
  readonly qemu: boolean;
  readonly simulatedHosts: number;
}

const biggestLog = 50 * 1024 * 1024;

/** One running local stack. Starts servers, services and agents in dependency order, and supervises them until stop(). */
export class Stack {
  private readonly supervisors = new Map<string, Supervisor>();
  private phase: StackStatus['phase'] = 'starting';
  private readonly startedAt = new Date().toISOString();
  private statusWriter: StatusWriter | undefined;
  private readonly logRotation = new Periodic(() => this.rotateLogs(), { everyMs: 60_000 });

  private constructor(
    private current: StackSettings,
    private readonly options: StackOptions,
    private readonly progress: Progress,
  ) {
    this.logRotation.start();
  }

  /**
   * Takes the home, ends the leftovers of a crashed run and chooses ports.
   * @throws StackError when another stack runs there
   */
  static async open(options: StackOptions, progress: Progress): Promise<Stack> {
    const paths = layout(options.config.home);
    makeDirectories(paths);
    await takeHome(paths);
    try {
      return await Stack.openTaken(options, paths, progress);
    } catch (error) {
      rmSync(stackPidFile(paths), { force: true });
      throw error;
    }
  }

  private static async openTaken(options: StackOptions, paths: Layout, progress: Progress): Promise<Stack> {
    const warning = await ensureServers((title, work) => progress.track(title, work), {
      qemu: options.qemu,
    });
    if (warning) progress.line(`  ${warning}`);
    const { config, replicas } = options;
    const secrets = loadSecrets(paths);
    const qemu = options.qemu && missingServers('qemu').length === 0;
    ensureDefaultAgents(paths, { qemu, simulatedHosts: options.simulatedHosts });
    const topology = topologyOf(paths, replicas);
    const before = { paths, config, secrets, ports: currentPorts(paths), topology };
    const ended = await endLeftovers(paths, programsInStopOrder(before, options));
    if (ended.length > 0) progress.line(`  ended leftovers of the last run: ${ended.join(', ')}`);
    await checkFixedPorts(
      config,
      listAgents(paths).map((agent) => agent.opsPort),
    );
    const ports = await choosePorts(paths, config.portOffset);
    return new Stack({ paths, config, secrets, ports, topology }, { ...options, qemu }, progress);
  }

  get settings(): StackSettings {
    return this.current;
  }

  get url(): string {
    return gatewayUrl(this.settings);
  }

  /** Starts everything. Resolves when the gateway answers, its tokens exist and every host agent is ready. */
  async start(): Promise<void> {
    const image = this.options.qemu ? this.image() : Promise.resolve();
    image.catch(() => undefined); // awaited below, after the servers
    const primary = this.launch(primaryComponent(this.settings));
    const replicas = this.settings.topology.replicas.map((name) =>
      primary.then(() => this.launch(replicaComponent(this.settings, name))),
    );
    await all(
      [primary, this.launch(redisComponent(this.settings)), this.launch(natsComponent(this.settings))],
      [...replicas, image],
    );
    const services = serviceComponents(this.settings, this.options.repository).map((component) =>
      this.launch(component),
    );
    const agents = image.then(() => all(this.agentComponents().map((component) => this.launch(component))));
    await all([...services, agents, ...replicas]);
    await this.progress.track('tokens', () => seedTokens(this.settings, this.options.repository));
    writeFileSync(this.settings.paths.env, envFile(this.settings), { mode: 0o600 });
    this.phase = 'running';
    this.changed();
  }

  private agentComponents(): Component[] {
    return agentComponents(this.settings, this.options.repository);
  }

  private async image(): Promise<void> {
    const cache = join(repositoryRoot, '.toolchain', 'images');
    const { images } = this.settings.paths;
    const made = await this.progress
      .track('image tiny-linux', () => ensureTinyLinux(images, cache))
      .catch((error: unknown) => {
        if (!(error instanceof StackError)) throw error;
        this.progress.line(`  ${error.message}`);
        return false;
      });
    if (!made) this.progress.line('  no tiny-linux image: zone local has nothing to boot');
  }

  private async launch(component: Component): Promise<void> {
    if (this.phase === 'stopping')
      throw new Error(`${component.name} was not started, because the stack is stopping`);
    const supervisor = new Supervisor(component, this.settings.paths, () => this.changed());
    this.supervisors.set(component.name, supervisor);
    await this.progress.track(component.name, () => supervisor.start());
  }

  /** Ends the agents that have left. Then adds the NATS users of the new agents and starts them. */
  async reloadAgents(): Promise<void> {
    const wanted = new Set(this.agentComponents().map(({ name }) => name));
    const left = [...this.supervisors].filter(
      ([name]) => name.startsWith('host-agent-') && !wanted.has(name),
    );
    for (const [name, supervisor] of left) {
      await supervisor.stop();
      this.supervisors.delete(name);
      this.changed();
    }
    writeNatsUsers(this.settings);
    const pid = this.supervisors.get('nats')?.status.pid;
    if (pid !== undefined) process.kill(pid, 'SIGHUP');
    const added = this.agentComponents().filter(({ name }) => !this.supervisors.has(name));
    await Promise.all(added.map((component) => this.launch(component)));
  }

  /**
   * Makes a replica the primary. Fences the old primary first: it is ended and never restarted, so it accepts no
   * more writes. Then copies the other replicas from the new primary, and restarts the services with its address.
   * @throws StackError when the replica does not exist
   */
  async promote(name: string): Promise<void> {
    const before = this.settings.topology;
    const topology = promoted(before, name);
    await this.supervisors.get(before.primary)?.stop();
    this.supervisors.delete(before.primary);
    rememberPrimary(this.settings.paths, topology.primary);
    this.current = { ...this.settings, topology };
    const component = primaryComponent(this.settings);
    this.supervisors.get(topology.primary)?.become(component);
    await promoteStandby(postgresOptions(this.settings, topology.primary));
    await component.afterReady?.();
    writeFileSync(this.settings.paths.env, envFile(this.settings), { mode: 0o600 });
    await Promise.all([
      ...topology.replicas.map((replica) => this.relaunch(replicaComponent(this.settings, replica))),
      ...serviceComponents(this.settings, this.options.repository).map((service) => this.relaunch(service)),
    ]);
    this.changed();
  }

  private async relaunch(component: Component): Promise<void> {
    await this.supervisors.get(component.name)?.stop();
    await this.launch(component);
  }

  /** Ends everything including guests, dependents first. Each program has its own grace. */
  async stop(): Promise<void> {
    this.phase = 'stopping';
    await this.logRotation.stop();
    for (const group of stopOrder([...this.supervisors.keys()], this.settings.topology.primary)) {
      const supervisors = group.flatMap((name) => this.supervisors.get(name) ?? []);
      await Promise.all(supervisors.map((supervisor) => supervisor.stop()));
      if (group.some((name) => name.startsWith('host-agent'))) await endGuests(this.settings.paths);
    }
    await endGuests(this.settings.paths);
    rmSync(stackPidFile(this.settings.paths), { force: true });
  }

  /** Ends everything at once. */
  killAll(): void {
    for (const supervisor of this.supervisors.values()) supervisor.kill();
  }

  private changed(): void {
    this.statusWriter ??= new StatusWriter(this.settings.paths, () => ({
      phase: this.phase,
      url: this.url,
      startedAt: this.startedAt,
      components: [...this.supervisors.values()].map((supervisor) => supervisor.status),
    }));
    this.statusWriter.write();
  }

  private rotateLogs(): void {
    for (const name of this.supervisors.keys()) rotate(logFile(this.settings.paths, name), biggestLog);
  }
}

/** Waits until all `needed` succeed. Rejects at once when one of `watched` fails. */
async function all(
  needed: readonly Promise<unknown>[],
  watched: readonly Promise<unknown>[] = [],
): Promise<void> {
  await Promise.race([Promise.all(needed), ...watched.map((work) => work.then(() => Promise.all(needed)))]);
}

/** Groups of components in stop order. The components of a group end together. */
export function stopOrder(names: readonly string[], primary = 'postgres-primary'): string[][] {
  const replicas = postgresNames.filter((name) => name !== primary);
  const servers: string[] = ['nats', 'redis', ...postgresNames];
  const workers = names.filter((name) => name !== 'gateway' && !servers.includes(name));
  const groups: string[][] = [['gateway'], workers, ['nats', 'redis'], replicas, [primary]];
  return groups.map((group) => group.filter((name) => names.includes(name)));
}

/** The programs of this home in stop order. */
export function programsInStopOrder(
  settings: StackSettings,
  options: Pick<StackOptions, 'repository'>,
): Program[] {
  const apps = [
    ...serviceComponents(settings, options.repository),
    ...agentComponents(settings, options.repository),
  ];
  const servers = [natsComponent(settings), redisComponent(settings)];
  const programs = new Map(
    [...apps, ...servers].map((component) => [component.name, () => component.program()]),
  );
  // The data directory identifies a Postgres server, whatever its role was at its start.
  for (const name of postgresNames)
    programs.set(name, () => postgresProgram(postgresOptions(settings, name)));
  return stopOrder([...programs.keys()], settings.topology.primary)
    .flat()
    .flatMap((name) => programIfInstalled(programs.get(name)));
}

function programIfInstalled(program: (() => Program) | undefined): Program[] {
  try {
    return program ? [program()] : [];
  } catch (error) {
    if (error instanceof StackError) return []; // a program that is not installed cannot be running
    throw error;
  }
}
