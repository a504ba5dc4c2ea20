import type { VmId } from '@novacron/contracts/ids';
import type { Clock } from '../../time/clock.js';
import type { GuestHandle } from './guest-handle.js';

/** A booting guest ignores the button, so it is pressed again at this interval, this many times. */
const AGAIN_MS = 2_000;
const TIMES = 30;

/** The ACPI power button of each guest. */
export class PowerButton {
  readonly #held = new Map<VmId, () => void>();

  constructor(private readonly clock: Clock) {}

  /** Presses, and resolves after the first event. Repeats until the guest is off or the button is released. */
  async press(handle: GuestHandle): Promise<void> {
    this.release(handle.vmId);
    await handle.execute('system_powerdown');
    this.#again(handle, TIMES);
  }

  /** Stops pressing, because another operation begins. */
  release(vmId: VmId): void {
    this.#held.get(vmId)?.();
    this.#held.delete(vmId);
  }

  releaseAll(): void {
    for (const vmId of this.#held.keys()) this.release(vmId);
  }

  /** Presses until the guest is off; false when it still runs after `ms`. */
  async powersOff(handle: GuestHandle, ms: number, signal: AbortSignal): Promise<boolean> {
    for (let left = ms; left > 0; left -= AGAIN_MS) {
      if (!(await this.#pressed(handle))) return true;
      if (await handle.ended(Math.min(left, AGAIN_MS), signal)) return true;
    }
    return false;
  }

  #again(handle: GuestHandle, times: number): void {
    if (times === 0) return;
    const cancel = this.clock.after(AGAIN_MS, () => {
      void this.#pressed(handle).then((on) => {
        if (on && this.#held.get(handle.vmId) === cancel) this.#again(handle, times - 1);
        else if (!on) this.release(handle.vmId);
      });
    });
    this.#held.set(handle.vmId, cancel);
  }

  /** False when the guest is off, or its monitor is gone. */
  async #pressed(handle: GuestHandle): Promise<boolean> {
    try {
      await handle.execute('system_powerdown');
      return true;
    } catch {
      return handle.alive();
    }
  }
}
