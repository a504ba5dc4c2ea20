import { VmId } from '@novacron/contracts/ids';
import { readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../time/clock.js';
import { DamagedStateError, type AppendOptions } from '../../state/journal.js';
import { marksOf } from './command-line.js';
import { consoleSize } from './console-file.js';
import { GuestHandle } from './guest-handle.js';
import { fromStart, readRecord, writeRecord, type GuestRecord } from './guest-record.js';
import { findProcess, findProcesses, type ProcessId } from './proc.js';

export interface GuestRegistryOptions {
  /** Contains a folder for each VM. */
  readonly folder: string;
  readonly clock: Clock;
  /** A VM's power state may have changed. */
  readonly onChange: (vmId: VmId) => void;
  readonly onWarning: (message: string, error?: unknown) => void;
}

/** How long a process may take to end after its monitor closed. */
const EXIT_MS = 2_000;
const GONE = '.gone-';

/** The VMs of the host: their folders, their records, and the processes of running guests. */
export class GuestRegistry {
  readonly #handles = new Map<VmId, GuestHandle>();
  readonly #updates = new Map<VmId, Promise<void>>();
  /** Records that wait for the disk and are current in memory. */
  readonly #unsaved = new Map<VmId, GuestRecord>();
  readonly #damaged = new Set<VmId>();

  private constructor(private readonly options: GuestRegistryOptions) {}

  /** Finds the guests that outlived the last agent, and finishes its deletions. */
  static async open(options: GuestRegistryOptions): Promise<GuestRegistry> {
    const registry = new GuestRegistry(options);
    const entries = await readdir(options.folder);
    const gone = entries.filter((name) => name.startsWith(GONE));
    await Promise.all(gone.map((name) => rm(join(options.folder, name), { recursive: true, force: true })));
    // One unreadable guest must not block the others.
    const attached = (await registry.all()).map((vmId) =>
      registry.#attach(vmId).catch((error: unknown) => options.onWarning(`observing ${vmId} failed`, error)),
    );
    await Promise.all(attached);
    return registry;
  }

  folderOf(vmId: VmId): string {
    return join(this.options.folder, vmId);
  }

  async all(): Promise<VmId[]> {
    const entries = await readdir(this.options.folder);
    return entries.flatMap((name) => VmId.safeParse(name).data ?? []);
  }

  /** The handles of the guests that ran at the last check. */
  get running(): readonly GuestHandle[] {
    return [...this.#handles.values()];
  }

  /**
   * The VM's record, after every change under way. `damaged`: the record cannot be read; only the VM's folder and process
   * are known.
   */
  async record(vmId: VmId): Promise<GuestRecord | 'damaged' | undefined> {
    await this.#updates.get(vmId);
    return this.#read(vmId);
  }

  /**
   * Changes the record, one change of a VM after the other. Has no effect on a missing or damaged VM. With `mayWait` a
   * change that the disk refuses counts in memory until it is written.
   */
  async update(
    vmId: VmId,
    change: (record: GuestRecord) => GuestRecord,
    options: AppendOptions = {},
  ): Promise<void> {
    await this.#inTurn(vmId, async () => {
      const record = await this.#read(vmId);
      if (record && record !== 'damaged') await this.#write(vmId, change(record), options);
    });
  }

  /** The VM's process, if one runs now. */
  async live(vmId: VmId): Promise<GuestHandle | undefined> {
    const handle = this.#handles.get(vmId);
    if (!handle) return this.#find(vmId);
    if (await handle.alive()) return handle;
    await this.settle(handle);
    return undefined;
  }

  /** Takes over the process that the VM's pid file names. @throws Error when there is none */
  async adopt(vmId: VmId): Promise<GuestHandle> {
    const handle = await this.#find(vmId);
    if (!handle) throw new Error(`QEMU left no process for ${vmId}`);
    await handle.connect();
    return handle;
  }

  /** Writes the reason of an ended process to the record. */
  async settle(handle: GuestHandle): Promise<void> {
    if (this.#handles.get(handle.vmId) !== handle) return;
    this.#handles.delete(handle.vmId);
    handle.close();
    const { reason } = handle;
    await this.update(handle.vmId, (record) => ({ ...record, reason }), { mayWait: true });
    this.options.onChange(handle.vmId);
  }

  /** Makes the VM absent at once, and removes its files, whatever its folder contains. */
  async remove(vmId: VmId): Promise<void> {
    const grave = join(this.options.folder, `${GONE}${vmId}`);
    await rm(grave, { recursive: true, force: true });
    await this.#inTurn(vmId, async () => {
      await rename(this.folderOf(vmId), grave).catch(unlessMissing);
      this.#unsaved.delete(vmId);
      this.#damaged.delete(vmId);
    });
    await rm(grave, { recursive: true, force: true });
  }

  /**
   * The VM's process, found by the VM's marks, also without a pid file. Slower than `live`, for callers that must not miss
   * it.
   */
  async liveAnyhow(vmId: VmId): Promise<GuestHandle | undefined> {
    const handle = await this.live(vmId);
    if (handle) return handle;
    const [process] = await findProcesses(marksOf(this.folderOf(vmId), vmId));
    return process && this.#handleOf(vmId, process);
  }

  /** Before a reset, or after a reset by itself: the guest is not up until it reports that again. */
  async startsAnew(vmId: VmId): Promise<void> {
    const bytes = await consoleSize(this.folderOf(vmId));
    await this.update(vmId, (record) => fromStart(record, bytes), { mayWait: true });
  }

  /** VMs whose records were unreadable at their last read. */
  get damaged(): number {
    return this.#damaged.size;
  }

  /**
   * Saves the records that wait for the disk, and detects ended processes whose monitor did not report it.
   */
  async check(): Promise<void> {
    // An update reads the waiting record in its turn: it may be saved, newer or gone by then.
    const waiting = [...this.#unsaved.keys()];
    await Promise.all(waiting.map((vmId) => this.update(vmId, (record) => record, { mayWait: true })));
    await Promise.all(this.running.map((handle) => this.live(handle.vmId)));
  }

  close(): void {
    for (const handle of this.#handles.values()) handle.close();
  }

  async #attach(vmId: VmId): Promise<void> {
    const handle = await this.#find(vmId);
    if (handle) {
      await handle
        .connect()
        .catch((error: unknown) => this.options.onWarning(`monitor connection of ${vmId} failed`, error));
      return;
    }
    // It ended without an agent: a QEMU that ends in order removes its pid file.
    const reason = (await this.#pidOf(vmId)) === 'missing' ? 'guest_shutdown' : 'crashed';
    const record = await this.record(vmId);
    if (record && record !== 'damaged' && record.incarnation > 0 && record.reason === null) {
      await this.update(vmId, (known) => ({ ...known, reason }), { mayWait: true });
    }
  }

  async #find(vmId: VmId): Promise<GuestHandle | undefined> {
    const pid = await this.#pidOf(vmId);
    if (pid === 'missing') return undefined;
    const marks = marksOf(this.folderOf(vmId), vmId);
    const process = pid === 'unreadable' ? (await findProcesses(marks))[0] : await findProcess(pid, marks);
    return process && this.#handleOf(vmId, process);
  }

  #handleOf(vmId: VmId, process: ProcessId): GuestHandle {
    const known = this.#handles.get(vmId);
    if (known?.process.startedAt === process.startedAt) return known;
    const handle: GuestHandle = new GuestHandle(vmId, process, this.folderOf(vmId), this.options.clock, {
      changed: () => this.#changed(handle),
      restarted: () =>
        this.startsAnew(vmId).catch((error: unknown) =>
          this.options.onWarning(`recording the restart of ${vmId} failed`, error),
        ),
    });
    this.#handles.set(vmId, handle);
    return handle;
  }

  /** Runs the changes of the VM's record one after the other, also after a failed one. */
  async #inTurn(vmId: VmId, work: () => Promise<void>): Promise<void> {
    const before = this.#updates.get(vmId) ?? Promise.resolve();
    const mine = before.then(work);
    const settled = Promise.allSettled([mine]).then(() => {
      if (this.#updates.get(vmId) === settled) this.#updates.delete(vmId);
    });
    this.#updates.set(vmId, settled);
    await mine;
  }

  async #read(vmId: VmId): Promise<GuestRecord | 'damaged' | undefined> {
    const unsaved = this.#unsaved.get(vmId);
    if (unsaved) return unsaved;
    try {
      const record = await readRecord(this.folderOf(vmId));
      this.#damaged.delete(vmId);
      return record;
    } catch (error) {
      if (!(error instanceof DamagedStateError)) throw error;
      if (!this.#damaged.has(vmId)) this.options.onWarning(`record of ${vmId} is damaged`, error);
      this.#damaged.add(vmId);
      return 'damaged';
    }
  }

  async #write(vmId: VmId, record: GuestRecord, { mayWait = false }: AppendOptions): Promise<void> {
    try {
      await writeRecord(this.folderOf(vmId), record);
      this.#unsaved.delete(vmId);
    } catch (error) {
      if (!mayWait) throw error;
      if (!this.#unsaved.has(vmId)) this.options.onWarning(`record of ${vmId} waits for the disk`, error);
      this.#unsaved.set(vmId, record);
    }
  }

  #changed(handle: GuestHandle): void {
    this.#look(handle).catch((error: unknown) =>
      this.options.onWarning(`observing ${handle.vmId} failed`, error),
    );
  }

  async #look(handle: GuestHandle): Promise<void> {
    if (handle.connected) return this.options.onChange(handle.vmId);
    if (await handle.ended(EXIT_MS)) await this.settle(handle);
    else await handle.connect();
  }

  async #pidOf(vmId: VmId): Promise<number | 'missing' | 'unreadable'> {
    try {
      const pid = Number(await readFile(join(this.folderOf(vmId), 'qemu.pid'), 'utf8'));
      return Number.isSafeInteger(pid) && pid > 0 ? pid : 'unreadable';
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'missing' : 'unreadable';
    }
  }
}

function unlessMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
