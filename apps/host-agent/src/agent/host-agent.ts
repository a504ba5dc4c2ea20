import type { NatsConnection } from '@nats-io/transport-node';
import type { Command, CommandReply, VmFact } from '@novacron/contracts/agents';
import { ServiceError } from '@novacron/contracts/errors';
import type { HostId } from '@novacron/contracts/ids';
import {
  promisable,
  type Capacity,
  type Overcommit,
  type ReportedCondition,
} from '@novacron/contracts/infrastructure';
import { RequestDispatcher } from '@novacron/messaging/request-dispatcher';
import type { Logger } from '@novacron/telemetry/logger';
import type { Clock } from '../time/clock.js';
import type { Driver } from '../drivers/driver.js';
import type { CommandMemory } from './command-memory.js';
import { CommandRunner } from './command-runner.js';
import { FactReporter } from './fact-reporter.js';
import { commandExecuted, pointsDropped, pointsPublished } from './instruments.js';
import { BoundedReading } from './bounded-reading.js';
import { MetricPublisher } from './metric-publisher.js';
import { OrchestratorLink } from './orchestrator-link.js';
import { RegistrationLoop } from './registration.js';
import { Stamps, type Stamp } from './stamps.js';
import { repeat } from '../time/repeat.js';

export interface HostIdentity {
  readonly hostId: HostId;
  readonly name: string;
  readonly zone: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Replaces the driver's measurement; its disk is at most the measured disk. */
  readonly capacity: Capacity | undefined;
  readonly joinToken: string | undefined;
}

export interface HostAgentOptions {
  readonly identity: HostIdentity;
  readonly driver: Driver;
  readonly memory: CommandMemory;
  /** Conditions of the host's own state, in addition to the driver's. */
  readonly conditions?: () => Promise<ReportedCondition[]>;
  readonly nc: NatsConnection;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly agentVersion: string;
  readonly overcommit: Overcommit;
  readonly metricsIntervalMs: number;
  readonly metricsBufferBytes: number;
}

const INVENTORY_INTERVAL_MS = 60_000;
const COMMANDS_AT_A_TIME = 5_000;
/** A command may arrive before the reply to the registration that began its epoch. */
const EPOCH_WAIT_MS = 1_000;
/** A heartbeat waits this long for readings of the disk; then it repeats the last ones. */
const READING_MS = 500;
/** The bound of each of the four waits of a drain; the process's bound is 15 s. */
const DRAIN_MS = 3_000;

/** The agent of one host: after its registration it executes commands and reports facts and metrics, until it drains. */
export class HostAgent {
  readonly #stamps = new Stamps();
  readonly #requests: RequestDispatcher;
  readonly #link: OrchestratorLink;
  readonly #runner: CommandRunner;
  readonly #reporter: FactReporter;
  readonly #publisher: MetricPublisher;
  readonly #registration: RegistrationLoop;
  readonly #conditions: BoundedReading<ReportedCondition[]>;
  readonly #measured: BoundedReading<Capacity>;
  readonly #stopTimers: (() => void)[] = [];
  #serving = false;
  #guests = 0;
  /** The images of the last registration. */
  #offered = '';
  #inventory: Promise<void> | undefined;
  #inventoryWanted = false;

  constructor(private readonly options: HostAgentOptions) {
    const { driver, memory, nc, clock, logger, identity } = options;
    this.#requests = new RequestDispatcher({ maxInFlight: COMMANDS_AT_A_TIME, logger });
    this.#link = new OrchestratorLink(nc, identity.hostId);
    this.#runner = new CommandRunner({
      driver,
      memory,
      stamps: this.#stamps,
      clock,
      onEnded: (commandId, reply) => this.#link.commandEnded(commandId, reply),
      onSettled: (vmId, lastFact) => void this.#settled(vmId, lastFact),
      onExecuted: commandExecuted,
      onWarning: (message, error) => logger.warn({ err: error }, message),
    });
    this.#reporter = new FactReporter({
      driver,
      stamps: this.#stamps,
      clock,
      busy: (vmId) => this.#runner.busy(vmId),
      send: (stamp, facts) => this.#report(stamp, facts),
      onFailure: (error) => logger.warn(failureOf(error), 'fact report failed'),
    });
    this.#publisher = new MetricPublisher({
      nc,
      source: identity.hostId,
      clock,
      maxBytes: options.metricsBufferBytes,
      onPublished: pointsPublished,
      onDropped: (points, why) => {
        pointsDropped(points);
        logger.warn({ points, why }, 'metric points dropped');
      },
    });
    this.#conditions = this.#bounded(() => this.#readConditions(), 'reading host conditions failed');
    this.#measured = this.#bounded(() => this.#physical(), 'measuring host resources failed');
    this.#registration = new RegistrationLoop({
      clock,
      register: () => this.#register(),
      heartbeat: (timeoutMs) => this.#heartbeat(timeoutMs),
      onRegistered: ({ epoch }) => this.#registered(epoch),
      onInventoryWanted: () => this.sendInventory(),
      onFailure: (what, error) => logger.warn(failureOf(error), `${what} failed`),
    });
  }

  /** Starts to register, to send heartbeats and to measure. Failures are retried. */
  start(): void {
    void this.#registration.begin();
    void this.#followConnection();
    const { clock, metricsIntervalMs } = this.options;
    this.#stopTimers.push(
      repeat(clock, metricsIntervalMs, () => this.#measure()),
      repeat(clock, INVENTORY_INTERVAL_MS, async () => this.sendInventory()),
    );
  }

  get guests(): number {
    return this.#guests;
  }

  get registered(): boolean {
    return this.#registration.registered;
  }

  /**
   * Sends the current facts of all VMs. If an inventory is under way, which may be older, another one follows it. After
   * a failure the next turn retries. A registration sends its own inventory.
   */
  sendInventory(): void {
    if (!this.#registration.registered) return;
    if (this.#inventory) {
      this.#inventoryWanted = true;
      return;
    }
    this.#inventoryWanted = false;
    this.#inventory = this.#sendInventory()
      .catch((error: unknown) => this.options.logger.warn(failureOf(error), 'inventory failed'))
      .finally(() => {
        this.#inventory = undefined;
        if (this.#inventoryWanted) this.sendInventory();
      });
  }

  /** Accepts no new command, waits for those in flight, sends the last metrics and closes NATS. Guests keep running. */
  async drain(): Promise<void> {
    this.#registration.close();
    for (const stop of this.#stopTimers) stop();
    await Promise.race([this.#requests.drain(), this.options.clock.sleep(DRAIN_MS)]);
    await this.#runner.drain(DRAIN_MS);
    this.#reporter.close();
    await Promise.race([this.#publisher.close(DRAIN_MS), this.options.clock.sleep(DRAIN_MS)]);
    await Promise.race([this.options.nc.drain(), this.options.clock.sleep(DRAIN_MS)]);
  }

  async #register() {
    const { driver, identity, agentVersion, overcommit } = this.options;
    const [images, physical] = await Promise.all([driver.images(), this.#physical()]);
    this.#offered = String(images);
    const { name, zone, labels, joinToken } = identity;
    const { capabilities } = driver;
    const capacity = promisable(physical, overcommit);
    const resources = { physical, overcommit, capacity };
    const host = { name, zone, driver: driver.name, agentVersion, images, ...resources };
    const invited = joinToken === undefined ? {} : { joinToken };
    return this.#link.register({
      ...host,
      ...invited,
      capabilities: [...capabilities],
      labels: { ...labels },
    });
  }

  /** Omits conditions or resources that cannot be read: a heartbeat must only show that the host lives. */
  async #heartbeat(timeoutMs: number) {
    const [conditions, physical] = await Promise.all([this.#conditions.read(), this.#measured.read()]);
    const said = {
      ...this.#stamps.draw(),
      guests: this.#guests,
      conditions,
      physical,
      at: this.options.clock.now(),
    };
    return (await this.#link.heartbeat(said, timeoutMs)).needed;
  }

  #bounded<T>(read: () => Promise<T>, failure: string): BoundedReading<T> {
    const { clock, logger } = this.options;
    const onFailure = (error: unknown) => logger.warn({ err: error }, failure);
    return new BoundedReading({ read, clock, withinMs: READING_MS, onFailure });
  }

  async #readConditions(): Promise<ReportedCondition[]> {
    const { conditions, driver } = this.options;
    return (await Promise.all([conditions?.() ?? [], driver.conditions?.() ?? []])).flat();
  }

  async #physical(): Promise<Capacity> {
    const measured = await this.options.driver.capacity();
    const { capacity: given } = this.options.identity;
    return given ? { ...given, disk: Math.min(given.disk, measured.disk) } : measured;
  }

  #registered(epoch: number): void {
    this.#stamps.begin(epoch);
    this.options.logger.info({ epoch }, 'registered');
    if (!this.#serving) {
      this.#serving = true;
      this.#link.serve(
        this.#requests,
        (command) => this.#command(command),
        () => this.sendInventory(),
      );
    }
    // In the next turn, when the registration is complete.
    setImmediate(() => this.sendInventory());
  }

  async #command(command: Command): Promise<CommandReply> {
    if (command.epoch > this.#stamps.epoch) {
      await Promise.race([this.#registration.settled(), this.options.clock.sleep(EPOCH_WAIT_MS)]);
    }
    return this.#runner.handle(command);
  }

  async #report(stamp: Stamp, facts: VmFact[]): Promise<void> {
    if (!this.#registration.registered) throw new Error('the host is not registered');
    const { needed } = await this.#link.report(stamp, facts);
    if (needed !== 'register') return;
    void this.#registration.begin();
    throw new Error('the host has to register again first');
  }

  async #sendInventory(): Promise<void> {
    const stamp = this.#stamps.draw();
    const facts = await this.options.driver.list();
    this.#guests = facts.length;
    const { needed } = await this.#link.inventory(stamp, facts);
    // Images may be added while the agent runs; only a registration reports them.
    const images = String(await this.options.driver.images());
    if (needed === 'register' || images !== this.#offered) void this.#registration.begin();
  }

  async #settled(vmId: VmFact['vmId'], lastFact: VmFact | undefined): Promise<void> {
    try {
      await this.#reporter.settled(vmId, lastFact);
    } catch (error) {
      this.options.logger.warn({ err: error, vmId }, 'observing a VM failed');
    }
  }

  async #measure(): Promise<void> {
    try {
      this.#publisher.add(await this.options.driver.samples());
    } catch (error) {
      this.options.logger.warn({ err: error }, 'measuring guests failed');
    }
  }

  /** A restarted server may have lost messages of this host. A new epoch makes that harmless. */
  async #followConnection(): Promise<void> {
    for await (const status of this.options.nc.status()) {
      if (status.type === 'reconnect') void this.#registration.begin();
    }
  }
}

/** An unavailable orchestrator is not a bug, and every attempt logs: its message is enough without a stack. */
function failureOf(error: unknown): { reason: string } | { err: unknown } {
  return error instanceof ServiceError ? { reason: error.message } : { err: error };
}
