import { GUEST_FAULTS, type GuestSpec, type PowerState, type VmFact } from '@novacron/contracts/agents';
import type { VmId } from '@novacron/contracts/ids';
import type { Capability, Capacity, ReportedCondition } from '@novacron/contracts/infrastructure';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../time/clock.js';
import { repeat } from '../../time/repeat.js';
import { absent, DriverError, type Driver, type Sample } from '../driver.js';
import type { Accelerator } from './accelerator.js';
import { readCapacity, sampleGuest } from './measure.js';
import { commandLine } from './command-line.js';
import { boundConsole, consoleSize, readConsole } from './console-file.js';
import type { GuestHandle } from './guest-handle.js';
import { fromStart, writeRecord, type GuestRecord } from './guest-record.js';
import { GuestRegistry } from './guest-registry.js';
import { findImage, listImages } from './images.js';
import { PowerButton } from './power-button.js';
import { runProgram, type QemuPrograms } from './programs.js';
import { ReadyWatch } from './ready-watch.js';
import { runStateOf, type RunState } from './run-state.js';

export interface QemuDriverOptions {
  /** Holds a folder for each VM. */
  readonly folder: string;
  readonly imagesFolder: string;
  /** GiB of the file system that no guest is promised. */
  readonly diskReserveGib: number;
  readonly accelerator: Accelerator;
  readonly programs: QemuPrograms;
  readonly clock: Clock;
  readonly onWarning: (message: string, error?: unknown) => void;
}

const DISK_TIMEOUT_MS = 30_000;
const START_TIMEOUT_MS = 30_000;
const WATCH_MS = 10_000;
const READY_MS = 500;
/** A guest that goes on with the I/O that failed is paused again within this, if it fails again. */
const FAULT_AGAIN_MS = 500;
const POLL_MS = 50;
/** How long QEMU may take to end after it closed its monitor. */
const ENDING_MS = 3_000;

/** A QEMU process for each guest, known again by its pid file and command line after a restart of the agent. */
export class QemuDriver implements Driver {
  readonly name = 'qemu';
  readonly capabilities: readonly Capability[] = ['pause', 'reboot', 'reset', 'console-log', 'direct-kernel'];
  // Most of an operation is waiting for the guest.
  readonly concurrency = 8;
  readonly #listeners = new Set<(vmId: VmId) => void>();
  readonly #stopWatches: (() => void)[] = [];
  readonly #button: PowerButton;
  #guests!: GuestRegistry;

  private constructor(private readonly options: QemuDriverOptions) {
    this.#button = new PowerButton(options.clock);
  }

  static async open(options: QemuDriverOptions): Promise<QemuDriver> {
    await mkdir(options.folder, { recursive: true, mode: 0o700 });
    const driver = new QemuDriver(options);
    driver.#guests = await GuestRegistry.open({ ...options, onChange: (vmId) => driver.#tell(vmId) });
    const ready = new ReadyWatch(driver.#guests, (vmId) => driver.#tell(vmId), options.onWarning);
    driver.#stopWatches.push(
      repeat(options.clock, WATCH_MS, () => driver.#watchOver()),
      repeat(options.clock, READY_MS, () => ready.look()),
    );
    return driver;
  }

  images(): Promise<string[]> {
    return listImages(this.options.imagesFolder);
  }

  capacity(): Promise<Capacity> {
    return readCapacity(this.options.folder, this.options.diskReserveGib);
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
    if (await this.#record(vmId)) return;
    const folder = this.#guests.folderOf(vmId);
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

  async start({ vmId, name, config }: GuestSpec, signal: AbortSignal): Promise<void> {
    await this.#need(vmId);
    const handle = await this.#guests.live(vmId);
    if (!handle) return this.#boot(vmId, signal, { name, config });
    if ((await runStateOf(handle)).power !== 'running') throw invalid('paused', 'start');
  }

  async shutdown(vmId: VmId): Promise<void> {
    await this.#need(vmId);
    const handle = await this.#guests.live(vmId);
    if (handle) await this.#button.press(handle);
  }

  async forceStop(vmId: VmId): Promise<void> {
    this.#button.release(vmId);
    const handle = await this.#guests.liveAnyhow(vmId);
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
    if ((await runStateOf(handle)).power !== 'running') throw invalid('paused', 'reboot');
    await this.#guests.update(vmId, (record) => ({ ...record, rebooting: true }));
    try {
      if (await this.#button.powersOff(handle, graceMs, signal)) {
        await this.#guests.settle(handle);
        return await this.#boot(vmId, signal);
      }
      await this.#guests.startsAnew(vmId);
      await handle.execute('system_reset');
    } finally {
      await this.#guests.update(vmId, (record) => ({ ...record, rebooting: false }), { mayWait: true });
    }
  }

  async reset(vmId: VmId, signal: AbortSignal): Promise<void> {
    const handle = await this.#needRunning(vmId, 'reset');
    await this.#guests.startsAnew(vmId);
    await handle.execute('system_reset');
    if ((await runStateOf(handle)).power === 'running') return;
    // After some faults QEMU refuses to go on until the reset is through.
    for (const deadline = this.options.clock.now() + FAULT_AGAIN_MS; ;) {
      try {
        await handle.execute('cont');
        return;
      } catch (error) {
        if (this.options.clock.now() > deadline) throw error;
        await this.options.clock.sleep(POLL_MS, signal);
      }
    }
  }

  async pause(vmId: VmId): Promise<void> {
    await (await this.#needRunning(vmId, 'pause')).execute('stop');
  }

  /** @throws DriverError of the fault, when the guest cannot go on or is paused by the same fault again. */
  async resume(vmId: VmId, signal: AbortSignal): Promise<void> {
    const handle = await this.#needRunning(vmId, 'resume');
    const { fault } = await runStateOf(handle);
    // A disk that failed may be well again: QEMU repeats what failed.
    if (fault !== null && fault !== 'io_error' && fault !== 'no_space') throw faulty(fault);
    await handle.execute('cont');
    if (fault === null) return;
    const { clock } = this.options;
    for (const deadline = clock.now() + FAULT_AGAIN_MS; clock.now() < deadline;) {
      const again = (await runStateOf(handle)).fault;
      if (again !== null) throw faulty(again);
      await clock.sleep(POLL_MS, signal);
    }
  }

  async delete(vmId: VmId): Promise<void> {
    await this.forceStop(vmId);
    await this.#guests.remove(vmId);
  }

  async observe(vmId: VmId): Promise<VmFact> {
    for (;;) {
      // First the process: its end is in the record by then.
      const handle = await this.#guests.live(vmId);
      const record = await this.#guests.record(vmId);
      if (!record && !handle) return absent(vmId);
      const known = recorded(vmId, record);
      if (!handle) return { ...known, power: 'stopped' };
      const ready = record && record !== 'damaged' ? { ready: record.ready } : {};
      try {
        const { power, fault } = await runStateOf(handle);
        return { ...known, power, reason: fault, ...ready };
      } catch (error) {
        // A guest that is just going off answers nothing any more: look again when it is gone.
        if (await handle.ended(ENDING_MS)) continue;
        // One sick monitor must not hide the other guests: what has a process is not stopped.
        this.options.onWarning(`the monitor of ${vmId} does not answer`, error);
        return { ...known, power: 'running', reason: null, ...ready };
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
        if (!record || record === 'damaged') return undefined;
        return await sampleGuest(handle, record.config, this.options.clock.now());
      } catch (error) {
        this.options.onWarning(`${handle.vmId} could not be measured`, error);
        return undefined;
      }
    });
    return (await Promise.all(samples)).filter((sample) => sample !== undefined);
  }

  async conditions(): Promise<ReportedCondition[]> {
    const { damaged } = this.#guests;
    if (damaged === 0) return [];
    const message = 'The host cannot read its records of some VMs: they can be force-stopped and deleted';
    return [{ type: 'GuestsDamaged', reason: 'RecordUnreadable', message }];
  }

  watch(listener: (vmId: VmId) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    for (const stop of this.#stopWatches) stop();
    this.#button.releaseAll();
    this.#guests.close();
  }

  async #boot(vmId: VmId, signal: AbortSignal, given?: Pick<GuestRecord, 'name' | 'config'>): Promise<void> {
    const { config } = given ?? (await this.#need(vmId));
    const image = await findImage(this.options.imagesFolder, config.image);
    const folder = this.#guests.folderOf(vmId);
    await rm(join(folder, 'qemu.pid'), { force: true });
    signal.throwIfAborted();
    const bytes = await consoleSize(folder);
    const next = (record: GuestRecord) => ({
      ...fromStart(record, bytes),
      ...given,
      reason: null,
      incarnation: record.incarnation + 1,
    });
    await this.#guests.update(vmId, next);
    try {
      const args = commandLine(folder, await this.#need(vmId), image, this.options.accelerator);
      // Not to be aborted half-way: QEMU detaches within a blink, and then there is something to be ended.
      await runProgram(this.options.programs, 'qemu', args, { cwd: folder, timeoutMs: START_TIMEOUT_MS });
      const handle = await this.#guests.adopt(vmId);
      if (signal.aborted) await handle.kill();
      signal.throwIfAborted();
    } catch (error) {
      const failed = (record: GuestRecord) => ({ ...record, reason: 'start_failed' });
      await this.#guests.update(vmId, failed, { mayWait: true });
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
    const record = await this.#record(vmId);
    if (!record) throw new DriverError('not_found', `there is no VM ${vmId} on this host`, false);
    return record;
  }

  async #record(vmId: VmId): Promise<GuestRecord | undefined> {
    const record = await this.#guests.record(vmId);
    if (record !== 'damaged') return record;
    const detail = 'the host cannot read its record of this VM: it can only be force-stopped and deleted';
    throw new DriverError('driver_error', detail, false);
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

/** What the record says; of a damaged one nothing but that. */
function recorded(vmId: VmId, record: GuestRecord | 'damaged' | undefined): Omit<VmFact, 'power'> {
  if (!record || record === 'damaged') return { vmId, incarnation: 0, reason: null, damaged: true };
  return { vmId, incarnation: record.incarnation, reason: record.reason };
}

function faulty(fault: NonNullable<RunState['fault']>): DriverError {
  return new DriverError(fault, GUEST_FAULTS[fault], false);
}

function invalid(power: PowerState, operation: string): DriverError {
  return new DriverError('invalid_state', `a VM that is ${power} cannot ${operation}`, false);
}
