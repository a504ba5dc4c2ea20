import type { GuestSpec, PowerState, VmFact } from '@novacron/contracts/agents';
import type { VmId } from '@novacron/contracts/ids';
import type { Capability, Capacity } from '@novacron/contracts/infrastructure';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../clock.js';
import { repeat } from '../../repeat.js';
import { absent, DriverError, type Driver, type Sample } from '../driver.js';
import type { Accelerator } from './accelerator.js';
import { readCapacity, sampleGuest } from './measure.js';
import { commandLine } from './command-line.js';
import { boundConsole, readConsole } from './console-file.js';
import type { GuestHandle } from './guest-handle.js';
import { writeRecord, type GuestRecord } from './guest-record.js';
import { GuestRegistry } from './guest-registry.js';
import { findImage, listImages } from './images.js';
import { PowerButton } from './power-button.js';
import { runProgram, type QemuPrograms } from './programs.js';

export interface QemuDriverOptions {
  /** Holds a folder for each VM. */
  readonly folder: string;
  readonly imagesFolder: string;
  readonly accelerator: Accelerator;
  readonly programs: QemuPrograms;
  readonly clock: Clock;
  readonly onWarning: (message: string, error?: unknown) => void;
}

const DISK_TIMEOUT_MS = 30_000;
const START_TIMEOUT_MS = 30_000;
const WATCH_MS = 10_000;
/** How long QEMU may take to end after it closed its monitor. */
const ENDING_MS = 3_000;

/** A QEMU process for each guest, known again by its pid file and command line after a restart of the agent. */
export class QemuDriver implements Driver {
  readonly name = 'qemu';
  readonly capabilities: readonly Capability[] = ['pause', 'reboot', 'reset', 'console-log', 'direct-kernel'];
  // Most of an operation is waiting for the guest.
  readonly concurrency = 8;
  readonly #listeners = new Set<(vmId: VmId) => void>();
  readonly #stopWatch: () => void;
  readonly #button: PowerButton;
  #guests!: GuestRegistry;

  private constructor(private readonly options: QemuDriverOptions) {
    this.#button = new PowerButton(options.clock);
    this.#stopWatch = repeat(options.clock, WATCH_MS, () => this.#watchOver());
  }

  static async open(options: QemuDriverOptions): Promise<QemuDriver> {
    await mkdir(options.folder, { recursive: true, mode: 0o700 });
    const driver = new QemuDriver(options);
    driver.#guests = await GuestRegistry.open({ ...options, onChange: (vmId) => driver.#tell(vmId) });
    return driver;
  }

  images(): Promise<string[]> {
    return listImages(this.options.imagesFolder);
  }

  capacity(): Promise<Capacity> {
    return readCapacity(this.options.folder);
  }

  async create({ vmId, name, config, userData, sshKeys }: GuestSpec, signal: AbortSignal): Promise<void> {
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
    if (await this.#guests.record(vmId)) return;
    const folder = this.#guests.folderOf(vmId);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const base = image.disk === undefined ? [] : ['-b', image.disk, '-F', 'qcow2'];
    const args = ['create', '-q', '-f', 'qcow2', ...base, 'disk.qcow2.new', `${config.disk}G`];
    await runProgram(this.options.programs.qemuImg, args, {
      cwd: folder,
      timeoutMs: DISK_TIMEOUT_MS,
      signal,
    });
    await rename(join(folder, 'disk.qcow2.new'), join(folder, 'disk.qcow2'));
    await writeRecord(folder, { vmId, name, config, incarnation: 0, reason: null, rebooting: false });
  }

  async start({ vmId, name, config }: GuestSpec, signal: AbortSignal): Promise<void> {
    await this.#need(vmId);
    const handle = await this.#guests.live(vmId);
    if (!handle) return this.#boot(vmId, signal, { name, config });
    if ((await powerOf(handle)) !== 'running') throw invalid('paused', 'start');
  }

  async shutdown(vmId: VmId): Promise<void> {
    await this.#need(vmId);
    const handle = await this.#guests.live(vmId);
    if (handle) await this.#button.press(handle);
  }

  async forceStop(vmId: VmId): Promise<void> {
    this.#button.release(vmId);
    const handle = await this.#guests.live(vmId);
    await handle?.kill();
    if (handle) await this.#guests.settle(handle);
  }

  /**
   * Presses the power button and starts the guest again when it is off: a guest that boots a kernel directly has
   * no other way to be asked. One that is still there after `graceMs` is reset, and keeps its process.
   */
  async reboot(vmId: VmId, graceMs: number, signal: AbortSignal): Promise<void> {
    const { rebooting } = await this.#need(vmId);
    this.#button.release(vmId);
    const handle = await this.#guests.live(vmId);
    // The agent may have ended between the power button and the start.
    if (!handle && rebooting) return this.#boot(vmId, signal);
    if (!handle) throw invalid('stopped', 'reboot');
    if ((await powerOf(handle)) !== 'running') throw invalid('paused', 'reboot');
    await this.#guests.update(vmId, (record) => ({ ...record, rebooting: true }));
    try {
      if (await this.#button.powersOff(handle, graceMs, signal)) {
        await this.#guests.settle(handle);
        return await this.#boot(vmId, signal);
      }
      await handle.execute('system_reset');
    } finally {
      await this.#guests.update(vmId, (record) => ({ ...record, rebooting: false }));
    }
  }

  async reset(vmId: VmId): Promise<void> {
    const handle = await this.#needRunning(vmId, 'reset');
    await handle.execute('system_reset');
    if ((await powerOf(handle)) === 'paused') await handle.execute('cont');
  }

  async pause(vmId: VmId): Promise<void> {
    await (await this.#needRunning(vmId, 'pause')).execute('stop');
  }

  async resume(vmId: VmId): Promise<void> {
    await (await this.#needRunning(vmId, 'resume')).execute('cont');
  }

  async delete(vmId: VmId): Promise<void> {
    await this.forceStop(vmId);
    if (await this.#guests.record(vmId)) await this.#guests.remove(vmId);
    else await rm(this.#guests.folderOf(vmId), { recursive: true, force: true }); // a creation that did not end
  }

  async observe(vmId: VmId): Promise<VmFact> {
    for (;;) {
      // First the process: its end is in the record by then.
      const handle = await this.#guests.live(vmId);
      const record = await this.#guests.record(vmId);
      if (!record) return absent(vmId);
      const { incarnation, reason } = record;
      if (!handle) return { vmId, power: 'stopped', incarnation, reason };
      try {
        return { vmId, power: await powerOf(handle), incarnation, reason: null };
      } catch (error) {
        // A guest that is just going off answers nothing any more: look again when it is gone.
        if (await handle.ended(ENDING_MS)) continue;
        // One sick monitor must not hide the other guests: what has a process is not stopped.
        this.options.onWarning(`the monitor of ${vmId} does not answer`, error);
        return { vmId, power: 'running', incarnation, reason: null };
      }
    }
  }

  async list(): Promise<VmFact[]> {
    const facts = await Promise.all((await this.#guests.all()).map((vmId) => this.observe(vmId)));
    return facts.filter(({ power }) => power !== 'absent');
  }

  async consoleLog(vmId: VmId, maxBytes: number): Promise<string> {
    await this.#need(vmId);
    return readConsole(this.#guests.folderOf(vmId), maxBytes);
  }

  async samples(): Promise<Sample[]> {
    const samples = this.#guests.running.map(async (handle) => {
      try {
        const record = await this.#guests.record(handle.vmId);
        return record && (await sampleGuest(handle, record.config, this.options.clock.now()));
      } catch (error) {
        this.options.onWarning(`${handle.vmId} could not be measured`, error);
        return undefined;
      }
    });
    return (await Promise.all(samples)).filter((sample) => sample !== undefined);
  }

  watch(listener: (vmId: VmId) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#stopWatch();
    this.#button.releaseAll();
    this.#guests.close();
  }

  async #boot(vmId: VmId, signal: AbortSignal, given?: Pick<GuestRecord, 'name' | 'config'>): Promise<void> {
    const { config } = given ?? (await this.#need(vmId));
    const image = await findImage(this.options.imagesFolder, config.image);
    const folder = this.#guests.folderOf(vmId);
    await rm(join(folder, 'qemu.pid'), { force: true });
    signal.throwIfAborted();
    const next = (record: GuestRecord) => ({
      ...record,
      ...given,
      reason: null,
      incarnation: record.incarnation + 1,
    });
    await this.#guests.update(vmId, next);
    try {
      const args = commandLine(folder, await this.#need(vmId), image, this.options.accelerator);
      // Not to be aborted half-way: QEMU detaches within a blink, and then there is something to be ended.
      await runProgram(this.options.programs.qemu, args, { cwd: folder, timeoutMs: START_TIMEOUT_MS });
      const handle = await this.#guests.adopt(vmId);
      if (signal.aborted) await handle.kill();
      signal.throwIfAborted();
    } catch (error) {
      await this.#guests.update(vmId, (record) => ({ ...record, reason: 'start_failed' }));
      throw error;
    }
    this.#tell(vmId);
  }

  async #watchOver(): Promise<void> {
    try {
      await this.#guests.check();
      await Promise.all(this.#guests.running.map(({ vmId }) => boundConsole(this.#guests.folderOf(vmId))));
    } catch (error) {
      this.options.onWarning('the guests could not be looked after', error);
    }
  }

  async #need(vmId: VmId): Promise<GuestRecord> {
    const record = await this.#guests.record(vmId);
    if (!record) throw new DriverError('not_found', `there is no VM ${vmId} on this host`, false);
    return record;
  }

  async #needRunning(vmId: VmId, operation: string): Promise<GuestHandle> {
    await this.#need(vmId);
    this.#button.release(vmId);
    const handle = await this.#guests.live(vmId);
    if (!handle) throw invalid('stopped', operation);
    return handle;
  }

  #tell(vmId: VmId): void {
    for (const listener of this.#listeners) listener(vmId);
  }
}

/** QMP `query-status`: what does not run is paused, as long as its process is there. */
async function powerOf(handle: GuestHandle): Promise<PowerState> {
  const { status } = (await handle.execute('query-status')) as { status: string };
  return status === 'running' ? 'running' : 'paused';
}

function invalid(power: PowerState, operation: string): DriverError {
  return new DriverError('invalid_state', `a VM that is ${power} cannot ${operation}`, false);
}
