import type { VmId } from '@novacron/contracts/ids';
import type { Clock } from '../../time/clock.js';
import { DriverError } from '../driver.js';
import { isAlive, readUsage, type ProcessId, type Usage } from './proc.js';
import { QmpClient, type QmpEvent } from './qmp-client.js';

/** QEMU's reasons for the end of a guest (QMP `SHUTDOWN`), as stop reasons. */
const REASONS: Readonly<Record<string, string>> = {
  'guest-shutdown': 'guest_shutdown',
  'guest-panic': 'crashed',
  'host-qmp-quit': 'forced',
  'host-signal': 'killed',
  'host-qmp-system-powerdown': 'guest_shutdown',
};
const CONNECT_MS = 10_000;
const POLL_MS = 20;
/** A hanging monitor may delay a force-stop by at most this time. */
const QUIT_MS = 1_500;

/** Callbacks to the owner of a handle. */
interface GuestListener {
  /** The power state may have changed. */
  changed(): void;
  /** The guest has restarted itself, in the same process. */
  restarted(): Promise<void>;
}

/** A running guest: its process, and its monitor. */
export class GuestHandle {
  /** The reason that QEMU announced for its end. */
  #reason: string | undefined;
  #previous: Usage | undefined;
  #qmp: QmpClient | undefined;
  #closing = false;

  constructor(
    readonly vmId: VmId,
    readonly process: ProcessId,
    private readonly folder: string,
    private readonly clock: Clock,
    private readonly on: GuestListener,
  ) {}

  /** Connects to the monitor as soon as QEMU listens. @throws Error */
  async connect(): Promise<void> {
    for (const deadline = this.clock.now() + CONNECT_MS; ; await this.clock.sleep(POLL_MS)) {
      try {
        this.#qmp = await QmpClient.connect(this.folder, (event) => this.#take(event));
        void this.#qmp.closed.then(() => this.#lost());
        return;
      } catch (error) {
        if (this.clock.now() > deadline || !(await isAlive(this.process))) throw error;
      }
    }
  }

  /** Why the guest ended, as far as QEMU reported it. */
  get reason(): string {
    return this.#reason ?? 'crashed';
  }

  get connected(): boolean {
    return this.#qmp !== undefined;
  }

  /** The monitor's answer. Connects again when the connection was lost. */
  async execute(command: string, timeoutMs?: number): Promise<unknown> {
    if (!this.#qmp) await this.connect();
    return (this.#qmp as QmpClient).execute(command, {}, timeoutMs);
  }

  alive(): Promise<boolean> {
    return isAlive(this.process);
  }

  /** Whether the process ended within `ms`. */
  async ended(ms: number, signal?: AbortSignal): Promise<boolean> {
    for (const deadline = this.clock.now() + ms; this.clock.now() <= deadline;) {
      if (!(await this.alive())) return true;
      await this.clock.sleep(POLL_MS, signal);
    }
    return !(await this.alive());
  }

  /** Ends the process, first by its monitor, then by a signal. Its pid was checked before, its start time is checked now. */
  async kill(): Promise<void> {
    this.#reason ??= 'forced';
    try {
      await this.execute('quit', QUIT_MS);
    } catch {
      // The monitor may hang or be gone; the next step does not need it.
    }
    if (await this.ended(QUIT_MS)) return;
    if (await this.alive()) process.kill(this.process.pid, 'SIGKILL');
    if (await this.ended(5_000)) return;
    const cause = new Error(`process ${this.process.pid} survived SIGKILL`);
    throw new DriverError('driver_error', 'the guest does not end', true, { cause });
  }

  /**
   * Percent of the processors and of the memory that the guest was given, since the last call (or since it
   * began). Undefined when the process is gone.
   */
  async usage(given: { cpu: number; memory: number }): Promise<{ cpu: number; memory: number } | undefined> {
    const now = await readUsage(this.process);
    if (!now) return undefined;
    const before = this.#previous ?? { cpuSeconds: 0, ageSeconds: 0 };
    this.#previous = now;
    const seconds = Math.max(now.ageSeconds - before.ageSeconds, 0.01);
    return {
      cpu: percent((now.cpuSeconds - before.cpuSeconds) / (seconds * given.cpu)),
      memory: percent(now.residentBytes / (given.memory * 1_048_576)),
    };
  }

  /** Disconnects from the monitor; the guest continues. */
  close(): void {
    this.#closing = true;
    this.#qmp?.close();
  }

  #take({ event, data }: QmpEvent): void {
    if (event === 'SHUTDOWN') this.#reason = REASONS[String(data?.['reason'])] ?? String(data?.['reason']);
    if (event === 'RESET' && data?.['guest'] === true) {
      void this.on.restarted().finally(() => this.on.changed());
    } else if (['STOP', 'RESUME', 'RESET'].includes(event)) this.on.changed();
  }

  #lost(): void {
    this.#qmp = undefined;
    if (!this.#closing) this.on.changed();
  }
}

/** 0–100 with three digits: QEMU's own overhead may exceed the guest's share. */
function percent(share: number): number {
  return Math.round(Math.min(1, Math.max(0, share)) * 100_000) / 1_000;
}
