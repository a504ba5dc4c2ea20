import { connectNats } from '@novacron/messaging/connect';
import { createLogger, type Logger } from '@novacron/telemetry/logger';
import { startOps, type Readiness } from '@novacron/telemetry/ops';
import { startTelemetry } from '@novacron/telemetry/start';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandMemory } from './agent/command-memory.js';
import { HostAgent } from './agent/host-agent.js';
import { showGuests } from './agent/instruments.js';
import { systemClock } from './clock.js';
import type { AgentConfig } from './config.js';
import type { Driver } from './drivers/driver.js';
import { driverOpener, type OpenDriver } from './drivers/open.js';
import { readHosts, type HostEntry } from './hosts-file.js';
import { lockFolder } from './state-lock.js';

const AGENT_VERSION = '0.1.0';
const MIB = 1_048_576;

/** One host of this process: what it remembers, its hypervisor, and its agent once NATS is there. */
class HostSlot {
  agent: HostAgent | undefined;

  private constructor(
    readonly host: HostEntry,
    private readonly driver: Driver,
    private readonly memory: CommandMemory,
    private readonly unlock: () => Promise<void>,
  ) {}

  /** @throws DamagedStateError, or Error when another agent runs on the folder. */
  static async open(host: HostEntry, folder: string, openDriver: OpenDriver, logger: Logger): Promise<HostSlot> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const unlock = await lockFolder(folder);
    const memory = await CommandMemory.open(join(folder, 'commands.journal'), systemClock.now, (error) =>
      logger.warn({ err: error }, 'the memory of commands could not be compacted'),
    );
    return new HostSlot(host, await openDriver(host, folder), memory, unlock);
  }

  async connect(config: AgentConfig, hosts: number, logger: Logger, signal: AbortSignal): Promise<void> {
    const { hostId, name, labels, capacity, natsUser: user, natsPassword: password } = this.host;
    const { zone, metricsIntervalMs, metricsBufferMib } = config.agent;
    const nc = await connectNats({ url: config.natsUrl, user, password, name: `host-agent ${name}`, logger, signal });
    this.agent = new HostAgent({
      identity: { hostId, name, zone, labels, capacity },
      driver: this.driver,
      memory: this.memory,
      nc,
      clock: systemClock,
      logger: logger.child({ hostId, host: name }),
      agentVersion: AGENT_VERSION,
      metricsIntervalMs,
      metricsBufferBytes: (metricsBufferMib * MIB) / hosts,
    });
    this.agent.start();
  }

  async close(): Promise<void> {
    await this.agent?.drain();
    await this.driver.close();
    await this.memory.close();
    await this.unlock();
  }
}

export interface AgentProcess {
  /** Drains every host, then ends telemetry and the ops listener. Guests keep running. */
  stop(): Promise<void>;
}

/**
 * Starts an agent for each host of the hosts file. NATS may come later: until then the process is not ready.
 * @throws what is wrong with the hosts file, the state or the hypervisor.
 */
export async function startAgents(config: AgentConfig): Promise<AgentProcess> {
  const logger = createLogger('host-agent', config.telemetry.logLevel);
  const telemetry = await startTelemetry({ service: 'host-agent', ...config.telemetry, logger });
  const hosts = await readHosts(config.agent.hosts);
  const openDriver = await driverOpener(config);
  const slots = await Promise.all(
    hosts.map((host) => HostSlot.open(host, join(config.agent.stateDir, host.hostId), openDriver, logger)),
  );
  showGuests(() => slots.reduce((sum, { agent }) => sum + (agent?.guests ?? 0), 0));
  const { metricsText } = telemetry;
  const ops = await startOps({ ...config.ops, metricsText, ready: async () => readiness(slots) });
  const stopping = new AbortController();
  const connecting = slots.map((slot) => slot.connect(config, hosts.length, logger, stopping.signal));
  return {
    async stop() {
      stopping.abort(new Error('the agent is stopping'));
      await Promise.allSettled(connecting);
      await Promise.all(slots.map((slot) => slot.close()));
      await telemetry.stop();
      await ops.close();
    },
  };
}

function readiness(slots: readonly HostSlot[]): Readiness {
  const missing = slots.flatMap(({ agent, host }) => (agent ? agent.notReady() : `${host.name} has no NATS`) ?? []);
  const [example] = missing;
  const detail = example === undefined ? `${slots.length} hosts` : `${missing.length} of ${slots.length}: ${example}`;
  return { ready: missing.length === 0, checks: { hosts: { ok: missing.length === 0, detail } } };
}
