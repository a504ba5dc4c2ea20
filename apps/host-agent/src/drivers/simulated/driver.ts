import type { GuestSpec, VmFact } from '@novacron/contracts/agents';
import type { VmId } from '@novacron/contracts/ids';
import type { Capability, Capacity } from '@novacron/contracts/infrastructure';
import type { Clock } from '../../time/clock.js';
import type { AppendOptions } from '../../state/journal.js';
import type { Random } from '@novacron/async/random';
import { absent, DriverError, type Driver, type Sample } from '../driver.js';
import { cloudInitOf, consoleOf, factOf, withEvent, type Guest, type GuestEvent } from './guest.js';
import { GuestStore } from './guest-store.js';
import { sampleOf, type Load } from './load.js';
import type { FailureRates, Latencies, Operation } from '../../config.js';

export interface SimulatedDriverOptions {
  /** The file with the host's guests. */
  readonly path: string;
  /** Frees space on a full disk. @returns whether there was some */
  readonly releaseReserve?: () => boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly latencies: Latencies;
  readonly failureRates: FailureRates;
  readonly images: readonly string[];
  readonly capacity: Capacity;
  /** The load of the guests. */
  readonly load: Load;
}

/** Operations that free resources work without disk space. */
const FREES: AppendOptions = { mayWait: true, usesReserve: true };

/** A simulated host: thousands of guests, made of a file and a clock. */
export class SimulatedDriver implements Driver {
  readonly name = 'simulated';
  readonly capabilities: readonly Capability[] = ['pause', 'reboot', 'reset', 'console-log', 'user-data'];
  readonly concurrency = 256;
  readonly #listeners = new Set<(vmId: VmId) => void>();
  readonly #goingDown = new Map<VmId, () => void>();
  readonly #comingUp = new Map<VmId, () => void>();

  private constructor(
    private readonly options: SimulatedDriverOptions,
    private readonly guests: GuestStore,
  ) {}

  static async open(options: SimulatedDriverOptions): Promise<SimulatedDriver> {
    const driver = new SimulatedDriver(options, await GuestStore.open(options.path, options));
    for (const guest of driver.guests.all()) {
      driver.#schedulePowerOff(guest);
      driver.#scheduleUp(guest);
    }
    return driver;
  }

  async images(): Promise<string[]> {
    return [...this.options.images];
  }

  async capacity(): Promise<Capacity> {
    return this.options.capacity;
  }

  async create(spec: GuestSpec, signal: AbortSignal): Promise<void> {
    this.#needImage(spec);
    if (this.guests.get(spec.vmId)) return;
    await this.#take('create', signal);
    const { vmId, name, config } = spec;
    const guest = {
      power: 'stopped',
      incarnation: 0,
      reason: null,
      bootedAt: 0,
      offAt: null,
      events: [],
      cloudInit: cloudInitOf(spec),
    } as const;
    await this.#put({ vmId, name, config, ...guest });
  }

  async start(spec: GuestSpec, signal: AbortSignal): Promise<void> {
    this.#needImage(spec);
    const guest = this.#need(spec.vmId);
    if (guest.power === 'running') return;
    if (guest.power === 'paused') throw invalid(guest, 'start');
    await this.#take('start', signal);
    const { name, config } = spec;
    await this.#put({ ...this.#booted(guest, 'boot'), name, config });
  }

  async shutdown(vmId: VmId, signal: AbortSignal): Promise<void> {
    const guest = this.#need(vmId);
    if (guest.power === 'stopped' || guest.offAt !== null) return;
    if (guest.power === 'paused') throw invalid(guest, 'shutdown');
    await this.#take('shutdown', signal);
    const ignored = this.#chance('powerdown');
    const now = this.options.clock.now();
    const offAt = ignored ? null : now + this.options.latencies.powerdown;
    const pressed = { ...guest, offAt, events: withEvent(guest, now, ignored ? 'ignored' : 'button') };
    await this.#put(pressed, { mayWait: true });
    this.#schedulePowerOff(pressed);
  }

  async forceStop(vmId: VmId, signal: AbortSignal): Promise<void> {
    const guest = this.guests.get(vmId);
    if (!guest || guest.power === 'stopped') return;
    await this.#take('force-stop', signal);
    await this.#off(vmId, 'killed', 'forced');
  }

  async reboot(vmId: VmId, _graceMs: number, signal: AbortSignal): Promise<void> {
    const guest = this.#need(vmId);
    if (guest.power !== 'running') throw invalid(guest, 'reboot');
    await this.#take('reboot', signal);
    await this.#put(this.#booted(this.#need(vmId), 'reboot'));
  }

  async reset(vmId: VmId, signal: AbortSignal): Promise<void> {
    const guest = this.#need(vmId);
    if (guest.power === 'stopped') throw invalid(guest, 'reset');
    await this.#take('reset', signal);
    const { incarnation } = guest;
    await this.#put({ ...this.#booted(this.#need(vmId), 'reset'), incarnation });
  }

  async pause(vmId: VmId, signal: AbortSignal): Promise<void> {
    await this.#switch(vmId, 'running', 'paused', signal);
  }

  async resume(vmId: VmId, signal: AbortSignal): Promise<void> {
    await this.#switch(vmId, 'paused', 'running', signal);
  }

  async delete(vmId: VmId, signal: AbortSignal): Promise<void> {
    if (!this.guests.get(vmId)) return;
    await this.#take('delete', signal);
    this.#cancelPowerOff(vmId);
    this.#cancelUp(vmId);
    await this.guests.remove(vmId);
    this.#notify(vmId);
  }

  async observe(vmId: VmId): Promise<VmFact> {
    const guest = this.guests.get(vmId);
    return guest ? factOf(guest, this.options.clock.now()) : absent(vmId);
  }

  async list(): Promise<VmFact[]> {
    const now = this.options.clock.now();
    return [...this.guests.all()].map((guest) => factOf(guest, now));
  }

  async consoleLog(vmId: VmId, maxBytes: number): Promise<string> {
    return Buffer.from(consoleOf(this.#need(vmId), this.options.clock.now()))
      .subarray(-maxBytes)
      .toString();
  }

  async samples(): Promise<Sample[]> {
    const now = this.options.clock.now();
    const running = [...this.guests.all()].filter((guest) => guest.power === 'running');
    return running.map((guest) => sampleOf(this.options.load, guest, now));
  }

  async conditions(): Promise<[]> {
    this.guests.retryPending();
    return [];
  }

  watch(listener: (vmId: VmId) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    for (const cancel of [...this.#goingDown.values(), ...this.#comingUp.values()]) cancel();
    await this.guests.close();
  }

  /** The guest ends by itself: `guest_shutdown`, or `crashed`. */
  async powerOff(vmId: VmId, reason: 'guest_shutdown' | 'crashed'): Promise<void> {
    await this.#off(vmId, reason === 'crashed' ? 'killed' : 'off', reason);
  }

  async #switch(vmId: VmId, from: 'running' | 'paused', to: 'running' | 'paused', signal: AbortSignal) {
    const guest = this.#need(vmId);
    if (guest.power === to) return;
    if (guest.power !== from) throw invalid(guest, to === 'paused' ? 'pause' : 'resume');
    await this.#take(to === 'paused' ? 'pause' : 'resume', signal);
    // The guest may have ended meanwhile.
    const now = this.#need(vmId);
    if (now.power !== from) throw invalid(now, to === 'paused' ? 'pause' : 'resume');
    await this.#put({ ...now, power: to });
  }

  /** Takes the operation's time, and fails at its rate. */
  async #take(operation: Operation, signal: AbortSignal): Promise<void> {
    await this.options.clock.sleep(this.options.latencies[operation], signal);
    if (this.#chance(operation)) {
      throw new DriverError('driver_error', `simulated failure of ${operation}`, true);
    }
  }

  #chance(operation: Operation): boolean {
    const rate = this.options.failureRates[operation];
    return rate > 0 && this.options.random() < rate;
  }

  #booted(guest: Guest, what: GuestEvent['what']): Guest {
    this.#cancelPowerOff(guest.vmId);
    const now = this.options.clock.now();
    const incarnation = guest.incarnation + 1;
    const events = withEvent(guest, now, what);
    const upAt = this.#chance('boot') ? null : now + this.options.latencies.boot;
    return {
      ...guest,
      power: 'running',
      incarnation,
      reason: null,
      bootedAt: now,
      upAt,
      offAt: null,
      events,
    };
  }

  async #off(vmId: VmId, what: GuestEvent['what'], reason: string): Promise<void> {
    this.#cancelPowerOff(vmId);
    const guest = this.guests.get(vmId);
    if (!guest || guest.power === 'stopped') return;
    const events = withEvent(guest, this.options.clock.now(), what);
    await this.#put({ ...guest, power: 'stopped', reason, offAt: null, events }, FREES);
  }

  /** Notifies when the guest is up, if booting takes time. */
  #scheduleUp({ vmId, power, upAt = null }: Guest): void {
    this.#cancelUp(vmId);
    const wait = (upAt ?? 0) - this.options.clock.now();
    if (power === 'stopped' || wait <= 0) return;
    const up = () => {
      this.#comingUp.delete(vmId);
      this.#notify(vmId);
    };
    this.#comingUp.set(vmId, this.options.clock.after(wait, up));
  }

  #cancelUp(vmId: VmId): void {
    this.#comingUp.get(vmId)?.();
    this.#comingUp.delete(vmId);
  }

  #schedulePowerOff({ vmId, offAt }: Guest): void {
    if (offAt === null) return;
    const wait = Math.max(0, offAt - this.options.clock.now());
    this.#goingDown.set(
      vmId,
      this.options.clock.after(wait, () => void this.#off(vmId, 'off', 'guest_shutdown')),
    );
  }

  #cancelPowerOff(vmId: VmId): void {
    this.#goingDown.get(vmId)?.();
    this.#goingDown.delete(vmId);
  }

  async #put(guest: Guest, options: AppendOptions = {}): Promise<void> {
    await this.guests.put(guest, options);
    this.#scheduleUp(guest);
    this.#notify(guest.vmId);
  }

  #notify(vmId: VmId): void {
    for (const listener of this.#listeners) listener(vmId);
  }

  #need(vmId: VmId): Guest {
    const guest = this.guests.get(vmId);
    if (!guest) throw new DriverError('not_found', `there is no VM ${vmId} on this host`, false);
    return guest;
  }

  #needImage({ config }: GuestSpec): void {
    if (!this.options.images.includes(config.image)) {
      throw new DriverError('no_image', `this host has no image ${config.image}`, false);
    }
  }
}

function invalid(guest: Guest, operation: string): DriverError {
  return new DriverError('invalid_state', `a VM that is ${guest.power} cannot ${operation}`, false);
}
