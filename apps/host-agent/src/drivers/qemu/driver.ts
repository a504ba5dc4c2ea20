import type { GuestSpec, PowerState, VmFact } from '@novacron/contracts/agents';
import type { VmId } from '@novacron/contracts/ids';
import type { Capability, Capacity, ReportedCondition } from '@novacron/contracts/infrastructure';
import { mkdir } from 'node:fs/promises';
import type { Clock } from '../../time/clock.js';
import { repeat } from '../../time/repeat.js';
import { absent, DriverError, type Driver, type Sample } from '../driver.js';
import { boundConsole, readConsole } from './console-file.js';
import { continueAfterPause, continueAfterReset } from './continue.js';
import type { GuestHandle } from './guest-handle.js';
import { GuestLauncher, type GuestLauncherOptions } from './guest-launcher.js';
import type { GuestRecord } from './guest-record.js';
import { GuestRegistry } from './guest-registry.js';
import { listImages } from './images.js';
import { requireRecord } from './known-record.js';
import { readCapacity, sampleGuest } from './measure.js';
import { PowerButton } from './power-button.js';
import { ReadyWatch } from './ready-watch.js';
import { runStateOf } from './run-state.js';

export interface QemuDriverOptions extends GuestLauncherOptions {
  /** Contains a folder for each VM. */
  readonly folder: string;
  /** GiB of the file system that are not promised to guests. */
  readonly diskReserveGib: number;
  readonly clock: Clock;
  readonly onWarning: (message: string, error?: unknown) => void;
}

const WATCH_MS = 10_000;
const READY_MS = 500;
/** How long QEMU may take to end after it closed its monitor. */
const ENDING_MS = 3_000;

/** Runs a QEMU process per guest. After a restart of the agent its pid file and command line identify it. */
export class QemuDriver implements Driver {
  readonly name = 'qemu';
  readonly capabilities: readonly Capability[] = ['pause', 'reboot', 'reset', 'console-log', 'direct-kernel'];
  // An operation mostly waits for the guest.
  readonly concurrency = 8;
  readonly #listeners = new Set<(vmId: VmId) => void>();
  readonly #stopWatches: (() => void)[] = [];
  readonly #button: PowerButton;
  #guests!: GuestRegistry;
  #launcher!: GuestLauncher;

  private constructor(private readonly options: QemuDriverOptions) {
    this.#button = new PowerButton(options.clock);
  }

  static async open(options: QemuDriverOptions): Promise<QemuDriver> {
    await mkdir(options.folder, { recursive: true, mode: 0o700 });
    const driver = new QemuDriver(options);
    driver.#guests = await GuestRegistry.open({ ...options, onChange: (vmId) => driver.#notify(vmId) });
    driver.#launcher = new GuestLauncher(options, driver.#guests);
    const ready = new ReadyWatch(driver.#guests, (vmId) => driver.#notify(vmId), options.onWarning);
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

  create(spec: GuestSpec, signal: AbortSignal): Promise<void> {
    return this.#launcher.createDisk(spec, signal);
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
   * Presses the power button and starts the guest again when it is off. A guest that boots a kernel directly offers no
   * other graceful way. A guest that is still running after `graceMs` is reset, and keeps its process.
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
    await continueAfterReset(handle, this.options.clock, signal);
  }

  async pause(vmId: VmId): Promise<void> {
    await (await this.#needRunning(vmId, 'pause')).execute('stop');
  }

  async resume(vmId: VmId, signal: AbortSignal): Promise<void> {
    await continueAfterPause(await this.#needRunning(vmId, 'resume'), this.options.clock, signal);
  }

  async delete(vmId: VmId): Promise<void> {
    await this.forceStop(vmId);
    await this.#guests.remove(vmId);
  }

  async observe(vmId: VmId): Promise<VmFact> {
    for (;;) {
      // The process first: if it has ended, the record has its end by now.
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
        // A guest that is shutting down does not answer. Observe it again when its process has ended.
        if (await handle.ended(ENDING_MS)) continue;
        // One hanging monitor must not hide the other guests. A guest with a process is not stopped.
        this.options.onWarning(`monitor request of ${vmId} failed`, error);
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
        this.options.onWarning(`measuring ${handle.vmId} failed`, error);
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
    await this.#launcher.boot(vmId, signal, given);
    this.#notify(vmId);
  }

  async #watchOver(): Promise<void> {
    try {
      await this.#guests.check();
      await Promise.all(this.#guests.running.map(({ vmId }) => boundConsole(this.#guests.folderOf(vmId))));
    } catch (error) {
      this.options.onWarning('guest check failed', error);
    }
  }

  #need(vmId: VmId): Promise<GuestRecord> {
    return requireRecord(this.#guests, vmId);
  }

  async #needRunning(vmId: VmId, operation: string): Promise<GuestHandle> {
    await this.#need(vmId);
    this.#button.release(vmId);
    const handle = await this.#guests.live(vmId);
    if (!handle) throw invalid('stopped', operation);
    return handle;
  }

  #notify(vmId: VmId): void {
    for (const listener of this.#listeners) listener(vmId);
  }
}

/** The facts of the record; a damaged record gives no other fact. */
function recorded(vmId: VmId, record: GuestRecord | 'damaged' | undefined): Omit<VmFact, 'power'> {
  if (!record || record === 'damaged') return { vmId, incarnation: 0, reason: null, damaged: true };
  return { vmId, incarnation: record.incarnation, reason: record.reason };
}

function invalid(power: PowerState, operation: string): DriverError {
  return new DriverError('invalid_state', `a VM that is ${power} cannot ${operation}`, false);
}
