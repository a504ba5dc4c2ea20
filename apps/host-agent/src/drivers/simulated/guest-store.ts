import type { VmId } from '@novacron/contracts/ids';
import { Journal, replayFile, type AppendOptions, type JournalOptions } from '../../state/journal.js';
import type { Guest } from './guest.js';

/** A line of the file: the current state of a guest, or its removal. */
type Line = { guest: Guest } | { gone: VmId };

/**
 * The guests of one simulated host. They outlive the process, as a real host outlives its agent. Each change is a line,
 * written but not synced, since a simulated guest need not survive a power loss.
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

  /** The guests in the file now, while their host's agent continues. */
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

  /** A change takes effect when it is written; with `mayWait` also before. */
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

  /** Retries the writes that a full disk refused. */
  retryPending(): void {
    this.#journal.retryPending();
  }

  close(): Promise<void> {
    return this.#journal.close();
  }

  #apply(line: Line): void {
    if ('gone' in line) this.#guests.delete(line.gone);
    else this.#guests.set(line.guest.vmId, line.guest);
  }
}
