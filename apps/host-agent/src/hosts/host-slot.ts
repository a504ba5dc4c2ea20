import { connectNats, isConnected } from '@novacron/messaging/connect';
import type { Logger } from '@novacron/telemetry/logger';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandMemory } from '../agent/command-memory.js';
import { HostAgent } from '../agent/host-agent.js';
import { StorageWatch } from '../agent/storage-watch.js';
import { systemClock } from '../time/clock.js';
import type { AgentConfig } from '../config.js';
import type { Driver } from '../drivers/driver.js';
import { DiskReserve } from '../state/disk-reserve.js';
import type { OpenDriver } from './open-driver.js';
import type { HostEntry } from './hosts-file.js';
import { lockFolder } from '../state/state-lock.js';

const AGENT_VERSION = '0.1.0';
const MIB = 1_048_576;
const CPU_OVERCOMMIT: Record<AgentConfig['agent']['driver'], number> = { qemu: 4, simulated: 1 };

/** One host of this process: its memory, its hypervisor, and its agent once NATS is connected. */
export class HostSlot {
  #agent: HostAgent | undefined;
  #connected: () => boolean = () => false;

  private constructor(
    private readonly host: HostEntry,
    private readonly driver: Driver,
    private readonly memory: CommandMemory,
    private readonly storage: StorageWatch,
    private readonly unlock: () => Promise<void>,
    private readonly logger: Logger,
  ) {}

  /** @throws DamagedStateError, or Error when another agent runs on the folder. */
  static async open(
    host: HostEntry,
    stateDir: string,
    openDriver: OpenDriver,
    logger: Logger,
  ): Promise<HostSlot> {
    const folder = join(stateDir, host.hostId);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const reserve = await DiskReserve.open(join(folder, 'reserve'));
    const releaseReserve = () => reserve.release();
    const unlock = await reserve.use(() => lockFolder(folder));
    const own = logger.child({ hostId: host.hostId, host: host.name });
    const memory = await CommandMemory.open(join(folder, 'commands.journal'), systemClock.now, {
      releaseReserve,
      onCompactionFailed: (error) => own.warn({ err: error }, 'command memory compaction failed'),
    });
    const storage = new StorageWatch({ folder, reserve, retryPending: () => memory.retryPending() });
    return new HostSlot(host, await openDriver(host, folder, releaseReserve), memory, storage, unlock, own);
  }

  /** Connects, retrying without limit, and starts the agent. @param hosts how many share the process's buffer */
  async connect(config: AgentConfig, hosts: number, signal: AbortSignal): Promise<void> {
    const { hostId, name, labels, capacity, joinToken, natsUser: user, natsPassword: password } = this.host;
    const { zone, driver, overcommit, metricsIntervalMs, metricsBufferMib } = config.agent;
    const { logger } = this;
    const nc = await connectNats({
      url: config.natsUrl,
      user,
      password,
      name: `host-agent ${name}`,
      logger,
      signal,
    });
    this.#connected = () => isConnected(nc);
    this.#agent = new HostAgent({
      identity: { hostId, name, zone, labels, capacity, joinToken },
      driver: this.driver,
      memory: this.memory,
      conditions: () => this.storage.conditions(),
      nc,
      clock: systemClock,
      logger,
      agentVersion: AGENT_VERSION,
      overcommit: { cpu: overcommit.cpu ?? CPU_OVERCOMMIT[driver], disk: overcommit.disk },
      metricsIntervalMs,
      metricsBufferBytes: (metricsBufferMib * MIB) / hosts,
    });
    this.#agent.start();
  }

  get guests(): number {
    return this.#agent?.guests ?? 0;
  }

  /** Why the host does not work; undefined when it works. */
  get missing(): string | undefined {
    if (!this.#agent || !this.#connected()) return `${this.host.name} has no connection to NATS`;
    return this.#agent.registered ? undefined : `${this.host.name} is not registered with the orchestrator`;
  }

  /** Drains the agent and releases the host. Guests keep running. */
  async close(): Promise<void> {
    await this.#agent?.drain();
    await this.driver.close();
    await this.memory.close();
    await this.unlock();
  }
}
