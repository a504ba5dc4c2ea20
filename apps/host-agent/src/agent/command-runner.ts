import {
  GUEST_FAULTS,
  isGuestFault,
  type Command,
  type CommandKind,
  type CommandReply,
  type PowerState,
  type VmFact,
} from '@novacron/contracts/agents';
import type { VmId } from '@novacron/contracts/ids';
import type { Clock } from '../time/clock.js';
import { DriverError, type Driver, type FailureCode } from '../drivers/driver.js';
import { compareFences, type CommandMemory, type DoneReply, type Fence } from './command-memory.js';
import { CommandQueue, newPending, Preempted, type PendingCommand } from './command-queue.js';
import { withinLimit } from './operation-limit.js';
import { perform, TRAITS } from './operations.js';
import { asDriverError } from './public-error.js';
import { Slots } from './slots.js';
import type { Stamps } from './stamps.js';

export interface CommandRunnerOptions {
  readonly driver: Driver;
  readonly memory: CommandMemory;
  readonly stamps: Stamps;
  readonly clock: Clock;
  /** After this time the sender receives `accepted`, and the end is announced. */
  readonly acceptAfterMs?: number;
  /** An operation that takes longer is aborted, so that later commands are not stuck. */
  readonly operationLimitMs?: number;
  /** How long an aborted operation may take to unwind before the next one starts. */
  readonly unwindMs?: number;
  /** Commands in progress at one time. Further ones are refused as `busy`, retryable. */
  readonly maxCommands?: number;
  /** A command that was answered `accepted` has ended. */
  readonly onEnded: (commandId: string, reply: CommandReply) => void;
  /** The VM has no command in flight; `lastFact` is the fact of its last reply. */
  readonly onSettled?: (vmId: VmId, lastFact: VmFact | undefined) => void;
  /** A command was executed; for metrics. */
  readonly onExecuted?: (kind: CommandKind, outcome: CommandReply['outcome'], ms: number) => void;
  readonly onWarning?: (message: string, error?: unknown) => void;
}

/** The failure of an accepted command is kept this long for its sender. After that a repeated command runs again. */
const FAILURE_KEPT_MS = 30_000;

/** Executes commands by id and fence: each command once, the commands of one VM in order, higher fences first. */
export class CommandRunner {
  readonly #queues = new Map<VmId, CommandQueue>();
  readonly #pending = new Map<string, PendingCommand>();
  readonly #failures = new Map<string, { take: () => CommandReply }>();
  readonly #slots: Slots;
  readonly #urgentSlots: Slots;
  readonly #limits: {
    acceptAfterMs: number;
    operationLimitMs: number;
    unwindMs: number;
    maxCommands: number;
  };

  constructor(private readonly options: CommandRunnerOptions) {
    const { driver, acceptAfterMs, operationLimitMs, unwindMs, maxCommands } = options;
    this.#limits = {
      acceptAfterMs: acceptAfterMs ?? 1_500,
      operationLimitMs: operationLimitMs ?? 300_000,
      unwindMs: unwindMs ?? 10_000,
      maxCommands: maxCommands ?? 10_000,
    };
    this.#slots = new Slots(driver.concurrency);
    this.#urgentSlots = new Slots(driver.concurrency);
  }

  /** The number of commands in progress. */
  get inFlight(): number {
    return this.#pending.size;
  }

  busy(vmId: VmId): boolean {
    return this.#queues.has(vmId);
  }

  /** The reply, or `accepted` when the command takes longer than that. Never rejects. */
  async handle(command: Command): Promise<CommandReply> {
    const refusal = this.#refusal(command);
    if (refusal) return refusal;
    const running = this.#pending.get(command.commandId);
    if (running) return this.#join(running, command);
    const failure = this.#failures.get(command.commandId);
    if (failure) return failure.take();
    const success = this.options.memory.success(command.vmId, command.commandId);
    if (success) return this.#again(command, success);
    if (this.#pending.size >= this.#limits.maxCommands) {
      return this.#failed('busy', `${this.#pending.size} commands are on their way on this host`, true);
    }
    if (command.kind !== 'console-log') this.options.memory.claim(command.vmId, command);
    const pending = newPending(command);
    this.#pending.set(command.commandId, pending);
    this.#queueOf(command.vmId).enter(pending);
    return this.#replyOrAccepted(pending);
  }

  /** Resolves when no command is in flight, or after `ms`. */
  async drain(ms: number): Promise<void> {
    const all = Promise.allSettled([...this.#pending.values()].map((pending) => pending.reply));
    await Promise.race([all, this.options.clock.sleep(ms)]);
  }

  #refusal(command: Command): CommandReply | undefined {
    const { stamps } = this.options;
    if (command.epoch === stamps.epoch) return this.#outranked(command, command);
    const detail = `epoch ${command.epoch} is not this host's epoch ${stamps.epoch}`;
    return { outcome: 'fenced', ...stamps.draw(), detail };
  }

  #outranked({ kind, vmId }: Command, fence: Fence): CommandReply | undefined {
    const { memory, stamps } = this.options;
    // Reading a console has no effect, so it needs no fence.
    if (kind === 'console-log' || !memory.refuses(vmId, fence)) return undefined;
    const highest = memory.highest(vmId);
    const detail = `fence ${fence.generation}.${fence.fence} is older than ${highest?.generation}.${highest?.fence}`;
    return { outcome: 'fenced', ...stamps.draw(), detail };
  }

  /** A duplicate waits for the running command; its fence counts from now on. */
  async #join(pending: PendingCommand, command: Command): Promise<CommandReply> {
    if (compareFences(command, pending.fence) > 0) pending.fence = command;
    try {
      await this.#raise(command, command);
    } catch (error) {
      return this.#failure(pending, error);
    }
    return this.#replyOrAccepted(pending);
  }

  #raise({ vmId, kind }: Command, fence: Fence): Promise<void> {
    const { disk } = TRAITS[kind];
    return this.options.memory.raise(vmId, fence, {
      mayWait: disk !== 'needs',
      usesReserve: disk === 'frees',
    });
  }

  /** A success of another epoch is valid, but its fact would be dropped. So the fact is observed again. */
  async #again(command: Command, success: DoneReply): Promise<CommandReply> {
    if (success.epoch === this.options.stamps.epoch) return success;
    try {
      return await this.#observed(command.vmId, success.text);
    } catch (error) {
      return this.#failure(newPending(command), error);
    }
  }

  #queueOf(vmId: VmId): CommandQueue {
    const known = this.#queues.get(vmId);
    if (known) return known;
    let lastFact: VmFact | undefined;
    const work = async (pending: PendingCommand) => {
      const reply = await this.#work(pending);
      lastFact = 'fact' in reply ? reply.fact : lastFact;
    };
    const queue = new CommandQueue(work, () => {
      this.#queues.delete(vmId);
      this.options.onSettled?.(vmId, lastFact);
    });
    this.#queues.set(vmId, queue);
    return queue;
  }

  async #work(pending: PendingCommand): Promise<CommandReply> {
    const { commandId, kind } = pending.command;
    const startedAt = this.options.clock.now();
    const reply = await this.#execute(pending);
    this.#pending.delete(commandId);
    pending.settle(reply);
    this.options.onExecuted?.(kind, reply.outcome, this.options.clock.now() - startedAt);
    if (pending.announced) {
      if (reply.outcome === 'failed') this.#keepFailure(commandId, reply);
      this.options.onEnded(commandId, reply);
    }
    return reply;
  }

  #keepFailure(commandId: string, reply: CommandReply): void {
    const forget = () => this.#failures.delete(commandId);
    const cancel = this.options.clock.after(FAILURE_KEPT_MS, forget);
    const take = () => {
      cancel();
      forget();
      return reply;
    };
    this.#failures.set(commandId, { take });
  }

  async #replyOrAccepted(pending: PendingCommand): Promise<CommandReply> {
    const { promise, resolve } = Promise.withResolvers<CommandReply>();
    const cancel = this.options.clock.after(this.#limits.acceptAfterMs, () => {
      pending.announced = true;
      resolve({ outcome: 'accepted', ...this.options.stamps.draw() });
    });
    const reply = await Promise.race([pending.reply, promise]);
    cancel();
    return reply;
  }

  async #execute(pending: PendingCommand): Promise<CommandReply> {
    const { command, abort } = pending;
    const outranked = this.#outranked(command, pending.fence);
    if (outranked) return outranked;
    try {
      if (command.kind !== 'console-log') await this.#raise(command, pending.fence);
      const slots = TRAITS[command.kind].urgent ? this.#urgentSlots : this.#slots;
      const text = await slots.run(abort.signal, () => this.#bounded(pending));
      return await this.#succeeded(command, text);
    } catch (error) {
      return this.#failure(pending, error);
    }
  }

  #bounded({ command, abort }: PendingCommand): Promise<string | undefined> {
    const { clock, driver, onWarning } = this.options;
    const what = `${command.kind} of ${command.vmId}`;
    return withinLimit(() => perform(driver, command, abort.signal), {
      ...this.#limits,
      abort,
      clock,
      what,
      onLeft: () => onWarning?.(`${what} ignored its abort and is abandoned`),
    });
  }

  async #succeeded(command: Command, text: string | undefined): Promise<CommandReply> {
    const { leads, remembered, disk } = TRAITS[command.kind];
    const reply = await this.#observed(command.vmId, text);
    const { power, reason } = reply.fact;
    if (leads && !(leads as readonly PowerState[]).includes(power)) {
      if (power === 'paused' && isGuestFault(reason)) {
        throw new DriverError(reason, GUEST_FAULTS[reason], false);
      }
      throw new DriverError(
        'driver_error',
        `${command.kind} was reported done, but the VM is ${power}`,
        true,
      );
    }
    if (remembered) {
      const options = { usesReserve: disk === 'frees' };
      await this.options.memory.remember(command.vmId, command.commandId, reply, options);
    }
    return reply;
  }

  async #observed(vmId: VmId, text: string | undefined): Promise<DoneReply> {
    const { driver, stamps } = this.options;
    for (;;) {
      const stamp = stamps.draw();
      const fact = await driver.observe(vmId);
      // The host registered again meanwhile: observe again, so that the fact belongs to the current epoch.
      if (stamp.epoch === stamps.epoch)
        return { outcome: 'done', ...stamp, fact, ...(text === undefined ? {} : { text }) };
    }
  }

  /** The reply to a failed command, with the current fact if it can be observed. */
  async #failure(pending: PendingCommand, error: unknown): Promise<CommandReply> {
    const { command, fence } = pending;
    const { code, message, retryable, cause } = asDriverError(error);
    if (error instanceof Preempted) {
      const outranked = this.#outranked(command, fence);
      if (outranked) return outranked;
    }
    // The reply has the public text only, so the reason is logged here.
    if (cause !== undefined) this.options.onWarning?.(`${command.kind} of ${command.vmId} failed`, cause);
    try {
      const { outcome: _, ...observed } = await this.#observed(command.vmId, undefined);
      return { outcome: 'failed', ...observed, code, detail: message, retryable };
    } catch (unseen) {
      this.options.onWarning?.(`observing ${command.vmId} failed`, unseen);
      return this.#failed(code, message, retryable);
    }
  }

  #failed(code: FailureCode, detail: string, retryable: boolean): CommandReply {
    return { outcome: 'failed', ...this.options.stamps.draw(), code, detail, retryable };
  }
}
