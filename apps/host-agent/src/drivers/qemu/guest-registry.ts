import { VmId } from '@novacron/contracts/ids';
import { readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../clock.js';
import { marksOf } from './command-line.js';
import { GuestHandle } from './guest-handle.js';
import { readRecord, writeRecord, type GuestRecord } from './guest-record.js';
import { findProcess } from './proc.js';

export interface GuestRegistryOptions {
  /** Holds a folder for each VM. */
  readonly folder: string;
  readonly clock: Clock;
  /** A VM's power state may have changed. */
  readonly onChange: (vmId: VmId) => void;
  readonly onWarning: (message: string, error?: unknown) => void;
}

/** How long a process may take to be gone after its monitor is. */
const EXIT_MS = 2_000;
const GONE = '.gone-';

/** Which VMs there are: their folders, their records, and the processes of those that run. */
export class GuestRegistry {
  readonly #handles = new Map<VmId, GuestHandle>();
  readonly #updates = new Map<VmId, Promise<void>>();

  private constructor(private readonly options: GuestRegistryOptions) {}

  /** Finds the guests again that outlived the last agent, and finishes deletions that it could not. */
  static async open(options: GuestRegistryOptions): Promise<GuestRegistry> {
    const registry = new GuestRegistry(options);
    const entries = await readdir(options.folder);
    const gone = entries.filter((name) => name.startsWith(GONE));
    await Promise.all(gone.map((name) => rm(join(options.folder, name), { recursive: true })));
    await Promise.all((await registry.all()).map((vmId) => registry.#attach(vmId)));
    return registry;
  }

  folderOf(vmId: VmId): string {
    return join(this.options.folder, vmId);
  }

  async all(): Promise<VmId[]> {
    const entries = await readdir(this.options.folder);
    return entries.flatMap((name) => VmId.safeParse(name).data ?? []);
  }

  /** The handles of what ran when it was last looked at. */
  get running(): readonly GuestHandle[] {
    return [...this.#handles.values()];
  }

  /** What is on the disk, after every change under way. */
  async record(vmId: VmId): Promise<GuestRecord | undefined> {
    await this.#updates.get(vmId);
    return readRecord(this.folderOf(vmId));
  }

  /** Changes the record, one change of a VM after the other. Nothing happens to a VM that is not there. */
  async update(vmId: VmId, change: (record: GuestRecord) => GuestRecord): Promise<void> {
    const before = this.#updates.get(vmId) ?? Promise.resolve();
    const update = before.then(async () => {
      const record = await readRecord(this.folderOf(vmId));
      if (record) await writeRecord(this.folderOf(vmId), change(record));
    });
    const settled = Promise.allSettled([update]).then(() => {
      if (this.#updates.get(vmId) === settled) this.#updates.delete(vmId);
    });
    this.#updates.set(vmId, settled);
    await update;
  }

  /** The VM's process, if one runs now. */
  async live(vmId: VmId): Promise<GuestHandle | undefined> {
    const handle = this.#handles.get(vmId);
    if (!handle) return this.#find(vmId);
    if (await handle.alive()) return handle;
    await this.settle(handle);
    return undefined;
  }

  /** Takes charge of the process that the VM's pid file names. @throws Error when there is none. */
  async adopt(vmId: VmId): Promise<GuestHandle> {
    const handle = await this.#find(vmId);
    if (!handle) throw new Error(`QEMU left no process for ${vmId}`);
    await handle.connect();
    return handle;
  }

  /** The process has ended: its reason goes to the record. */
  async settle(handle: GuestHandle): Promise<void> {
    if (this.#handles.get(handle.vmId) !== handle) return;
    this.#handles.delete(handle.vmId);
    handle.close();
    await this.update(handle.vmId, (record) => ({ ...record, reason: handle.reason }));
    this.options.onChange(handle.vmId);
  }

  /** Makes the VM absent at once; its files follow. */
  async remove(vmId: VmId): Promise<void> {
    await this.#updates.get(vmId);
    const grave = join(this.options.folder, `${GONE}${vmId}`);
    await rename(this.folderOf(vmId), grave);
    await rm(grave, { recursive: true });
  }

  /** Looks whether every process is still there, for those whose monitor did not say so. */
  async check(): Promise<void> {
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
        .catch((error: unknown) => this.options.onWarning(`the monitor of ${vmId} does not answer`, error));
      return;
    }
    // It ended while no agent looked: a QEMU that ends in order removes its pid file.
    const reason = (await this.#pidOf(vmId)) === undefined ? 'guest_shutdown' : 'crashed';
    const record = await readRecord(this.folderOf(vmId));
    if (record && record.incarnation > 0 && record.reason === null) {
      await this.update(vmId, (known) => ({ ...known, reason }));
    }
  }

  async #find(vmId: VmId): Promise<GuestHandle | undefined> {
    const pid = await this.#pidOf(vmId);
    const folder = this.folderOf(vmId);
    const process = pid === undefined ? undefined : await findProcess(pid, marksOf(folder, vmId));
    if (!process) return undefined;
    const known = this.#handles.get(vmId);
    if (known?.process.startedAt === process.startedAt) return known;
    const handle: GuestHandle = new GuestHandle(vmId, process, folder, this.options.clock, () =>
      this.#changed(handle),
    );
    this.#handles.set(vmId, handle);
    return handle;
  }

  #changed(handle: GuestHandle): void {
    this.#look(handle).catch((error: unknown) =>
      this.options.onWarning(`cannot see what became of ${handle.vmId}`, error),
    );
  }

  async #look(handle: GuestHandle): Promise<void> {
    if (handle.connected) return this.options.onChange(handle.vmId);
    if (await handle.ended(EXIT_MS)) await this.settle(handle);
    else await handle.connect();
  }

  async #pidOf(vmId: VmId): Promise<number | undefined> {
    try {
      const pid = Number(await readFile(join(this.folderOf(vmId), 'qemu.pid'), 'utf8'));
      return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }
}
