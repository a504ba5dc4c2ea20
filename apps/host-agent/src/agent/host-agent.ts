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
import { LastLook } from './last-look.js';
import { MetricPublisher } from './metric-publisher.js';
import { OrchestratorLink } from './orchestrator-link.js';
import { Registration } from './registration.js';
import { Stamps, type Stamp } from './stamps.js';
import { repeat } from '../time/repeat.js';

export interface HostIdentity {
  readonly hostId: HostId;
  readonly name: string;
  readonly zone: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Instead of what the driver finds; of the disk no more than it finds. */
  readonly capacity: Capacity | undefined;
  readonly joinToken: string | undefined;
}

export interface HostAgentOptions {
  readonly identity: HostIdentity;
  readonly driver: Driver;
  readonly memory: CommandMemory;
  /** What the host's own state gives it, beside what the driver says. */
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
/** A command may overtake the answer to the registration that began its epoch. */
const EPOCH_WAIT_MS = 1_000;
/** A heartbeat waits this long for what it says of the host's disk; then it says what was so before. */
const LOOK_MS = 500;
/** For each of the four things that a drain waits for; the process's bound is 15 s. */
const DRAIN_MS = 3_000;

/** One host's agent: registered, it executes commands and reports facts and metrics, until it is drained. */
export class HostAgent {
  readonly #stamps = new Stamps();
  readonly #requests: RequestDispatcher;
  readonly #link: OrchestratorLink;
  readonly #runner: CommandRunner;
  readonly #reporter: FactReporter;
  readonly #publisher: MetricPublisher;
  readonly #registration: Registration;
  readonly #conditions: LastLook<ReportedCondition[]>;
  readonly #measured: LastLook<Capacity>;
  readonly #stopTimers: (() => void)[] = [];
  #serving = false;
  #guests = 0;
  /** The images that the registration named. */
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
      onSettled: (vmId, told) => void this.#settled(vmId, told),
      onExecuted: commandExecuted,
      onWarning: (message, error) => logger.warn({ err: error }, message),
    });
    this.#reporter = new FactReporter({
      driver,
      stamps: this.#stamps,
      clock,
      busy: (vmId) => this.#runner.busy(vmId),
      send: (stamp, facts) => this.#report(stamp, facts),
      onFailure: (error) => logger.warn(whatFailed(error), 'a report did not reach the orchestrator'),
    });
    this.#publisher = new MetricPublisher({
      nc,
      source: identity.hostId,
      clock,
      maxBytes: options.metricsBufferBytes,
      onPublished: pointsPublished,
      onDropped: (points, why) => {
        pointsDropped(points);
        logger.warn({ points, why }, 'metric points were dropped');
      },
    });
    this.#conditions = this.#lastLook(() => this.#lookForConditions(), 'host conditions unknown');
    this.#measured = this.#lastLook(() => this.#physical(), 'host resources could not be measured');
    this.#registration = new Registration({
      clock,
      register: () => this.#register(),
      heartbeat: (timeoutMs) => this.#heartbeat(timeoutMs),
      onRegistered: ({ epoch }) => this.#registered(epoch),
      onInventoryWanted: () => this.sendInventory(),
      onFailure: (what, error) => logger.warn(whatFailed(error), `${what} failed`),
    });
  }

  /** Starts to register, to beat and to measure; what fails is tried again. */
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
   * Sends everything there is as of now: while an inventory is under way, which may have been observed before,
   * another one follows it. A failure waits for the next turn. A registration sends its own.
   */
  sendInventory(): void {
    if (!this.#registration.registered) return;
    if (this.#inventory) {
      this.#inventoryWanted = true;
      return;
    }
    this.#inventoryWanted = false;
    this.#inventory = this.#sendInventory()
      .catch((error: unknown) => this.options.logger.warn(whatFailed(error), 'the inventory did not arrive'))
      .finally(() => {
        this.#inventory = undefined;
        if (this.#inventoryWanted) this.sendInventory();
      });
  }

  /** Takes no new command, lets those in flight end, sends the last metrics and leaves NATS. Guests keep running. */
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

  /** Without conditions or resources when the host cannot tell: a heartbeat says that it lives, and needs nothing else. */
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

  #lastLook<T>(look: () => Promise<T>, failure: string): LastLook<T> {
    const { clock, logger } = this.options;
    const onFailure = (error: unknown) => logger.warn({ err: error }, failure);
    return new LastLook({ look, clock, withinMs: LOOK_MS, onFailure });
  }

  async #lookForConditions(): Promise<ReportedCondition[]> {
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
    // After this turn, when the registration counts as through.
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
    // Images may be added while the agent runs: only a registration tells of them.
    const images = String(await this.options.driver.images());
    if (needed === 'register' || images !== this.#offered) void this.#registration.begin();
  }

  async #settled(vmId: VmFact['vmId'], told: VmFact | undefined): Promise<void> {
    try {
      await this.#reporter.settled(vmId, told);
    } catch (error) {
      this.options.logger.warn({ err: error, vmId }, 'cannot observe a VM');
    }
  }

  async #measure(): Promise<void> {
    try {
      this.#publisher.add(await this.options.driver.samples());
    } catch (error) {
      this.options.logger.warn({ err: error }, 'the guests could not be measured');
    }
  }

  /** A server that was away may have lost what it knew of us: a new epoch settles it. */
  async #followConnection(): Promise<void> {
    for await (const status of this.options.nc.status()) {
      if (status.type === 'reconnect') void this.#registration.begin();
    }
  }
}

/** An orchestrator that is away is no bug of ours: a word is enough where it is tried again and again. */
function whatFailed(error: unknown): { reason: string } | { err: unknown } {
  return error instanceof ServiceError ? { reason: error.message } : { err: error };
}
