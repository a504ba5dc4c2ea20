import type { NatsConnection } from '@nats-io/transport-node';
import { HostId, newId } from '@novacron/contracts/ids';
import { connectNats } from '@novacron/messaging/connect';
import { useTestServers, type TestServers } from '@novacron/testkit/servers';
import { until } from '@novacron/testkit/wait';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FakeOrchestrator } from './fake-orchestrator.js';

/** The agent as a process of its own on a real NATS, with a fake orchestrator in the test. */
export class AgentUnderTest {
  process: ChildProcess | undefined;
  output = '';
  #marked = new Map<string, number>();

  private constructor(
    readonly servers: TestServers,
    readonly nc: NatsConnection,
    readonly orchestrator: FakeOrchestrator,
    readonly hosts: HostId[],
    readonly folder: string,
  ) {}

  static async prepare(hostCount: number): Promise<AgentUnderTest> {
    const servers = await useTestServers({ postgres: false, nats: true });
    const entries = [];
    for (let i = 1; i <= hostCount; i++) {
      entries.push({ ...(await servers.addHost(newId())), name: `sim-${i}`, labels: { rack: 'a' } });
    }
    const folder = join(servers.dir, 'agent');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'hosts.json'), JSON.stringify(entries));
    const nc = await connectNats({ ...servers.natsLogin('admin'), name: 'test' });
    const hosts = entries.map((entry) => HostId.parse(entry.hostId));
    return new AgentUnderTest(servers, nc, new FakeOrchestrator(nc), hosts, folder);
  }

  get host(): HostId {
    return this.hosts[0] as HostId;
  }

  start(env: Record<string, string> = {}): void {
    this.mark();
    this.process = this.spawn('main.js', [], env);
  }

  spawn(script: string, args: string[], env: Record<string, string> = {}): ChildProcess {
    const child = spawn(process.execPath, [join(import.meta.dirname, '../dist', script), ...args], {
      env: {
        PATH: process.env['PATH'] ?? '',
        ...this.servers.agentEnv(),
        NOVACRON_AGENT_DRIVER: 'simulated',
        NOVACRON_AGENT_ZONE: 'sim',
        NOVACRON_AGENT_HOSTS: join(this.folder, 'hosts.json'),
        NOVACRON_AGENT_STATE_DIR: join(this.folder, 'state'),
        NOVACRON_AGENT_SIM_LATENCY: 'all=5ms',
        NOVACRON_AGENT_METRICS_INTERVAL_MS: '200',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (text) => (this.output += String(text)));
    return child;
  }

  /** Ends the agent and returns its exit code. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.process;
    this.process = undefined;
    if (!child || child.exitCode !== null) return child?.exitCode ?? null;
    const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill(signal);
    return exited;
  }

  until(fact: () => boolean | Promise<boolean>): Promise<void> {
    return until(fact, undefined, () => this.output);
  }

  /** Only registrations from now on count. */
  mark(): void {
    this.#marked = new Map(this.orchestrator.epochs);
  }

  /** Every host has registered since the mark, and reported all its VMs in the new epoch. */
  async registered(): Promise<void> {
    const { epochs, inventories } = this.orchestrator;
    const known = (hostId: HostId) => {
      const epoch = epochs.get(hostId) ?? 0;
      const notified = inventories.some(
        (inventory) => inventory.hostId === hostId && inventory.body.epoch === epoch,
      );
      return epoch > (this.#marked.get(hostId) ?? 0) && notified;
    };
    await this.until(() => this.hosts.every(known));
  }

  async stop(): Promise<void> {
    await this.end('SIGKILL');
    await this.nc.close();
    await this.servers.stop();
  }
}
