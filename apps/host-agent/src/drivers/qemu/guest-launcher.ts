import type { GuestSpec } from '@novacron/contracts/agents';
import type { VmId } from '@novacron/contracts/ids';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DriverError } from '../driver.js';
import type { Accelerator } from './accelerator.js';
import { commandLine } from './command-line.js';
import { consoleSize } from './console-file.js';
import { fromStart, writeRecord, type GuestRecord } from './guest-record.js';
import type { GuestRegistry } from './guest-registry.js';
import { findImage } from './images.js';
import { readableRecord, requireRecord } from './known-record.js';
import { runProgram, type QemuPrograms } from './programs.js';

export interface GuestLauncherOptions {
  readonly imagesFolder: string;
  readonly accelerator: Accelerator;
  readonly programs: QemuPrograms;
}

const DISK_TIMEOUT_MS = 30_000;
const START_TIMEOUT_MS = 30_000;

/** Creates disks, and starts the QEMU process of a guest. */
export class GuestLauncher {
  constructor(
    private readonly options: GuestLauncherOptions,
    private readonly guests: GuestRegistry,
  ) {}

  async createDisk({ vmId, name, config, userData, sshKeys }: GuestSpec, signal: AbortSignal): Promise<void> {
    if (userData !== null || sshKeys.length > 0) {
      throw new DriverError(
        'unsupported',
        'guests that boot a kernel directly take no user data or keys',
        false,
      );
    }
    const image = await findImage(this.options.imagesFolder, config.image);
    if (config.memory < image.minMemory) {
      throw new DriverError('unsupported', `${image.name} needs ${image.minMemory} MiB of memory`, false);
    }
    if (await readableRecord(this.guests, vmId)) return;
    const folder = this.guests.folderOf(vmId);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const base = image.disk === undefined ? [] : ['-b', image.disk, '-F', 'qcow2'];
    const args = ['create', '-q', '-f', 'qcow2', ...base, 'disk.qcow2.new', `${config.disk}G`];
    await runProgram(this.options.programs, 'qemuImg', args, {
      cwd: folder,
      timeoutMs: DISK_TIMEOUT_MS,
      signal,
    });
    await rename(join(folder, 'disk.qcow2.new'), join(folder, 'disk.qcow2'));
    const first = { incarnation: 0, reason: null, rebooting: false, ready: false, consoleFrom: 0 };
    await writeRecord(folder, { vmId, name, config, ...first });
  }

  /** Starts the guest as the next incarnation. @param given replaces these fields of the record */
  async boot(vmId: VmId, signal: AbortSignal, given?: Pick<GuestRecord, 'name' | 'config'>): Promise<void> {
    const { config } = given ?? (await requireRecord(this.guests, vmId));
    const image = await findImage(this.options.imagesFolder, config.image);
    const folder = this.guests.folderOf(vmId);
    await rm(join(folder, 'qemu.pid'), { force: true });
    signal.throwIfAborted();
    const bytes = await consoleSize(folder);
    const next = (record: GuestRecord) => ({
      ...fromStart(record, bytes),
      ...given,
      reason: null,
      incarnation: record.incarnation + 1,
    });
    await this.guests.update(vmId, next);
    try {
      const record = await requireRecord(this.guests, vmId);
      const args = commandLine(folder, record, image, this.options.accelerator);
      // It cannot be aborted half-way: QEMU detaches quickly, and the process must be known to end it.
      await runProgram(this.options.programs, 'qemu', args, { cwd: folder, timeoutMs: START_TIMEOUT_MS });
      const handle = await this.guests.adopt(vmId);
      if (signal.aborted) await handle.kill();
      signal.throwIfAborted();
    } catch (error) {
      const failed = (record: GuestRecord) => ({ ...record, reason: 'start_failed' });
      await this.guests.update(vmId, failed, { mayWait: true });
      throw error;
    }
  }
}
