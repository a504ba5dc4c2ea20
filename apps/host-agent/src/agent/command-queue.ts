import type { Command, CommandReply } from '@novacron/contracts/agents';
import type { Fence } from './command-memory.js';
import { TRAITS } from './operations.js';

/** A command in progress, with the senders that wait for its reply. */
export interface PendingCommand {
  readonly command: Command;
  /** The highest fence with which the command was sent: a new owner of its job may have joined. */
  fence: Fence;
  readonly reply: Promise<CommandReply>;
  readonly settle: (reply: CommandReply) => void;
  readonly abort: AbortController;
  /** A sender received `accepted`, so the end must be announced. */
  announced: boolean;
}

export function newPending(command: Command): PendingCommand {
  const { promise, resolve } = Promise.withResolvers<CommandReply>();
  return {
    command,
    fence: command,
    reply: promise,
    settle: resolve,
    abort: new AbortController(),
    announced: false,
  };
}

/** The reason of an operation that a preempting command aborted. */
export class Preempted extends Error {
  override readonly name = 'Preempted';

  constructor(by: Command) {
    super(`overtaken by ${by.kind} (${by.commandId})`);
  }
}

/** Runs the commands of one VM one after the other. Urgent commands go first and abort the one in flight. */
export class CommandQueue {
  #current: PendingCommand | undefined;
  #queue: PendingCommand[] = [];

  /** @param work must not reject. */
  constructor(
    private readonly work: (pending: PendingCommand) => Promise<void>,
    private readonly onIdle: () => void,
  ) {}

  enter(pending: PendingCommand): void {
    if (TRAITS[pending.command.kind].urgent) {
      const behind = this.#queue.findIndex((other) => !TRAITS[other.command.kind].urgent);
      this.#queue.splice(behind < 0 ? this.#queue.length : behind, 0, pending);
      const current = this.#current;
      if (current && !TRAITS[current.command.kind].urgent)
        current.abort.abort(new Preempted(pending.command));
    } else {
      this.#queue.push(pending);
    }
    if (!this.#current) void this.#drain();
  }

  async #drain(): Promise<void> {
    for (let pending = this.#queue.shift(); pending; pending = this.#queue.shift()) {
      this.#current = pending;
      await this.work(pending);
    }
    this.#current = undefined;
    this.onIdle();
  }
}
