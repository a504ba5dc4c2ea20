import type { Command, CommandReply, GuestSpec } from '@novacron/contracts/agents';
import { newId, type VmId } from '@novacron/contracts/ids';
import { join } from 'node:path';
import { CommandMemory } from '../../src/agent/command-memory.js';
import { CommandRunner, type CommandRunnerOptions } from '../../src/agent/command-runner.js';
import { Stamps } from '../../src/agent/stamps.js';
import { systemClock } from '../../src/time/clock.js';
import type { Driver } from '../../src/drivers/driver.js';
import { FaultyDriver } from './faulty-driver.js';

/** The hypervisor under test. */
export interface DriverSubject {
  /** Opens the driver on the same host; may be repeated. */
  open(): Promise<Driver>;
  /** A folder for the agent's memory. */
  readonly folder: string;
  /** A guest that this host can run, with an id of its own. */
  spec(): GuestSpec;
  /** Ends every guest and removes every file. */
  dispose(): Promise<void>;
}

type Distribute<C> = C extends unknown
  ? Omit<C, 'commandId' | 'vmId' | 'epoch' | 'generation' | 'fence'>
  : never;
export type CommandBody = Distribute<Command>;
type Limits = Partial<
  Pick<CommandRunnerOptions, 'acceptAfterMs' | 'operationLimitMs' | 'unwindMs' | 'maxCommands'>
>;
export interface CommandHeader {
  commandId?: string;
  fence?: number;
  epoch?: number;
}

/** An agent without NATS: takes commands and returns replies; it can be killed and restarted. */
export class AgentHarness {
  epoch = 0;
  limits: Limits = {};
  driver!: FaultyDriver;
  readonly ended: { commandId: string; reply: CommandReply }[] = [];
  #runner!: CommandRunner;
  #memory!: CommandMemory;

  private constructor(readonly subject: DriverSubject) {}

  static async open(subject: DriverSubject): Promise<AgentHarness> {
    const agent = new AgentHarness(subject);
    await agent.start();
    return agent;
  }

  async start(): Promise<void> {
    this.epoch += 1;
    const stamps = new Stamps();
    stamps.begin(this.epoch);
    this.driver = new FaultyDriver(await this.subject.open());
    this.#memory = await CommandMemory.open(join(this.subject.folder, 'commands.journal'), systemClock.now);
    this.#runner = new CommandRunner({
      driver: this.driver,
      memory: this.#memory,
      stamps,
      clock: systemClock,
      acceptAfterMs: 30_000,
      unwindMs: 5_000,
      onEnded: (commandId, reply) => this.ended.push({ commandId, reply }),
      ...this.limits,
    });
  }

  /** Restarts the agent with a new epoch; guests continue. */
  async restart(limits: Limits = {}): Promise<void> {
    this.limits = limits;
    await this.close();
    await this.start();
  }

  command(vmId: VmId, body: CommandBody, header: CommandHeader = {}): Promise<CommandReply> {
    const { commandId = newId(), fence = 1, epoch = this.epoch } = header;
    return this.#runner.handle({ ...body, vmId, commandId, epoch, generation: 1, fence } as Command);
  }

  /** The fact of a command that must succeed. */
  async done(vmId: VmId, body: CommandBody, header: CommandHeader = {}) {
    const reply = await this.command(vmId, body, header);
    if (reply.outcome !== 'done') throw new Error(`${body.kind}: ${JSON.stringify(reply)}`);
    return reply.fact;
  }

  /** A new VM that runs. */
  async running(): Promise<GuestSpec> {
    const spec = this.subject.spec();
    await this.done(spec.vmId, { kind: 'create', spec });
    await this.done(spec.vmId, { kind: 'start', spec });
    return spec;
  }

  /** A new VM whose guest has come up. */
  async up(): Promise<GuestSpec> {
    const spec = await this.running();
    await this.until(async () =>
      (await this.driver.consoleLog(spec.vmId, 65_536)).includes('NOVACRON-GUEST-UP'),
    );
    return spec;
  }

  /** Waits until the condition holds. */
  async until(fact: () => Promise<boolean> | boolean, limitMs = 60_000): Promise<void> {
    const deadline = Date.now() + limitMs;
    while (!(await fact())) {
      if (Date.now() > deadline) throw new Error(`not so within ${limitMs} ms: ${fact}`);
      await systemClock.sleep(10);
    }
  }

  async close(): Promise<void> {
    await this.#runner.drain(1_000);
    await this.driver.close();
    await this.#memory.close();
  }
}
