import type { VmId } from '@novacron/contracts/ids';
import { Journal, replayFile, type AppendOptions, type JournalOptions } from '../../state/journal.js';
import type { Guest } from './guest.js';

/** A line of the file: a guest as it is now, or that it is gone. */
type Line = { guest: Guest } | { gone: VmId };

/**
 * The guests of one simulated host. A real host outlives its agent, so these must outlive the process: a line
 * for each change, written but not synced (a simulated guest need not survive a power loss).
 */
export class GuestStore {
  readonly #guests = new Map<VmId, Guest>();
  #journal!: Journal<Line>;

  static async open(
    path: string,
    options: Pick<JournalOptions<unknown>, 'releaseReserve'> = {},
  ): Promise<GuestStore> {
    const store = new GuestStore();
    store.#journal = await Journal.open<Line>(path, {
      ...options,
      replay: (line) => store.#apply(line),
      snapshot: () => [...store.#guests.values()].map((guest) => ({ guest })),
    });
    return store;
  }

  /** The guests as the file has them now, while their host's agent goes on. */
  static async read(path: string): Promise<Guest[]> {
    const store = new GuestStore();
    await replayFile<Line>(path, (line) => store.#apply(line));
    return [...store.#guests.values()];
  }

  get(vmId: VmId): Guest | undefined {
    return this.#guests.get(vmId);
  }

  all(): Iterable<Guest> {
    return this.#guests.values();
  }

  get size(): number {
    return this.#guests.size;
  }

  /** A guest is as it is once that is written; with `mayWait` also before. */
  async put(guest: Guest, options: AppendOptions = {}): Promise<void> {
    const before = this.#guests.get(guest.vmId);
    const line = { guest };
    this.#apply(line);
    try {
      await this.#journal.append(line, options);
    } catch (error) {
      if (this.#guests.get(guest.vmId) === guest) {
        this.#apply(before ? { guest: before } : { gone: guest.vmId });
      }
      throw error;
    }
  }

  async remove(vmId: VmId): Promise<void> {
    const line = { gone: vmId };
    this.#apply(line);
    await this.#journal.append(line, { mayWait: true, usesReserve: true });
  }

  /** Tries again to write down what a full disk did not take. */
  retryOwed(): void {
    this.#journal.retryOwed();
  }

  close(): Promise<void> {
    return this.#journal.close();
  }

  #apply(line: Line): void {
    if ('gone' in line) this.#guests.delete(line.gone);
    else this.#guests.set(line.guest.vmId, line.guest);
  }
}
