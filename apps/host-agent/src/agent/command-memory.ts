import type { CommandReply } from '@novacron/contracts/agents';
import { Journal, type AppendOptions, type JournalOptions } from '../state/journal.js';

export type DoneReply = Extract<CommandReply, { outcome: 'done' }>;

/** The right to command a VM: compared by the control plane's generation, then by fence. */
export interface Fence {
  readonly generation: number;
  readonly fence: number;
}

/** A VM's memory is kept this long after its deletion, so that a stray command cannot recreate it. */
const KEPT_AFTER_DELETE_MS = 30 * 86_400_000;
/** Successes remembered for each VM. A sender that repeats an older one is fenced anyway. */
const KEPT_SUCCESSES = 8;
const NONE: Fence = { generation: 0, fence: 0 };

interface VmMemory {
  fence: Fence;
  /** The part of `fence` that is durable. */
  durable: Fence;
  successes: { commandId: string; reply: DoneReply }[];
  goneAt: number | undefined;
}

/** A line of the file. `v` VM, `g` generation, `f` fence, `c` command, `r` its reply, `x` gone since (null: not gone). */
interface Line {
  v: string;
  g?: number;
  f?: number;
  c?: string;
  r?: DoneReply;
  x?: number | null;
}

/** The durable memory of a host: for each VM the highest fence of its commands, and its successes. */
export class CommandMemory {
  readonly #vms = new Map<string, VmMemory>();
  #journal!: Journal<Line>;

  private constructor(private readonly now: () => number) {}

  /**
   * @param now milliseconds since 1970.
   * @throws DamagedStateError when the file is damaged, since fences must not be lost silently
   */
  static async open(
    path: string,
    now: () => number,
    options: Pick<JournalOptions<unknown>, 'onCompactionFailed' | 'releaseReserve'> = {},
  ) {
    const memory = new CommandMemory(now);
    memory.#journal = await Journal.open<Line>(path, {
      ...options,
      replay: (line) => memory.#replay(line),
      snapshot: () => memory.#lines(),
    });
    return memory;
  }

  /** Whether the sender of a command with this fence has lost the lease. */
  refuses(vmId: string, fence: Fence): boolean {
    const known = this.#vms.get(vmId)?.fence;
    return known !== undefined && compareFences(fence, known) < 0;
  }

  highest(vmId: string): Fence | undefined {
    return this.#vms.get(vmId)?.fence;
  }

  /** Refuses lower fences from now on, until the process ends. */
  claim(vmId: string, { generation, fence }: Fence): void {
    if (compareFences({ generation, fence }, this.highest(vmId) ?? NONE) > 0) {
      this.#apply({ v: vmId, g: generation, f: fence });
    }
  }

  /**
   * Like `claim`, but resolves when the fence is durable; no operation on the VM may start before. With `mayWait` the
   * fence counts in this process alone while the disk is full.
   */
  async raise(vmId: string, claimed: Fence, options: AppendOptions = {}): Promise<void> {
    this.claim(vmId, claimed);
    const vm = this.#vms.get(vmId);
    if (!vm || compareFences(vm.fence, vm.durable) <= 0) return;
    const written = vm.fence;
    const line = { v: vmId, g: written.generation, f: written.fence };
    if (!(await this.#journal.appendDurable(line, options))) return;
    if (compareFences(written, vm.durable) > 0) vm.durable = written;
  }

  /** Remembers a success. Resolves when the record survives the process, once the disk has space. */
  async remember(
    vmId: string,
    commandId: string,
    reply: DoneReply,
    options: Pick<AppendOptions, 'usesReserve'> = {},
  ): Promise<void> {
    const line: Line = { v: vmId, c: commandId, r: reply };
    if (reply.fact.power === 'absent') line.x = this.now();
    else if (this.#vms.get(vmId)?.goneAt !== undefined) line.x = null;
    this.#apply(line);
    await this.#journal.append(line, { ...options, mayWait: true });
  }

  /** Retries the writes that a full disk refused. */
  retryPending(): void {
    this.#journal.retryPending();
  }

  success(vmId: string, commandId: string): DoneReply | undefined {
    return this.#vms.get(vmId)?.successes.find((success) => success.commandId === commandId)?.reply;
  }

  close(): Promise<void> {
    return this.#journal.close();
  }

  #replay(line: Line): void {
    this.#apply(line);
    const vm = this.#vms.get(line.v);
    if (vm) vm.durable = vm.fence;
  }

  #apply(line: Line): void {
    const vm = this.#vms.get(line.v) ?? { fence: NONE, durable: NONE, successes: [], goneAt: undefined };
    this.#vms.set(line.v, vm);
    if (line.g !== undefined && line.f !== undefined) {
      const fence = { generation: line.g, fence: line.f };
      if (compareFences(fence, vm.fence) > 0) vm.fence = fence;
    }
    if (line.c !== undefined && line.r !== undefined) {
      const others = vm.successes.filter((success) => success.commandId !== line.c);
      vm.successes = [...others, { commandId: line.c, reply: line.r }].slice(-KEPT_SUCCESSES);
    }
    if (line.x !== undefined) {
      vm.goneAt = line.x ?? undefined;
      if (vm.goneAt !== undefined) vm.successes = vm.successes.slice(-1);
    }
  }

  *#lines(): Iterable<Line> {
    const forgetBefore = this.now() - KEPT_AFTER_DELETE_MS;
    for (const [vmId, vm] of this.#vms) {
      if (vm.goneAt !== undefined && vm.goneAt < forgetBefore) {
        this.#vms.delete(vmId);
        continue;
      }
      yield { v: vmId, g: vm.fence.generation, f: vm.fence.fence };
      for (const { commandId, reply } of vm.successes) yield { v: vmId, c: commandId, r: reply };
      if (vm.goneAt !== undefined) yield { v: vmId, x: vm.goneAt };
    }
  }
}

/** Negative when `a` is older than `b`. */
export function compareFences(a: Fence, b: Fence): number {
  return a.generation - b.generation || a.fence - b.fence;
}
