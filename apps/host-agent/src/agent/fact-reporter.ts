import type { VmFact } from '@novacron/contracts/agents';
import type { VmId } from '@novacron/contracts/ids';
import type { Clock } from '../time/clock.js';
import type { Driver } from '../drivers/driver.js';
import type { Stamp, Stamps } from './stamps.js';

const GATHER_MS = 20;
const RETRY_MS = 1_000;
const FACTS_PER_REPORT = 1_000;

export interface FactReporterOptions {
  readonly driver: Driver;
  readonly stamps: Stamps;
  readonly clock: Clock;
  /** Whether a command is in flight for the VM: its reply will have the fact. */
  readonly busy: (vmId: VmId) => boolean;
  /** Resolves when the orchestrator has received the facts. */
  readonly send: (stamp: Stamp, facts: VmFact[]) => Promise<void>;
  readonly onFailure: (error: unknown) => void;
}

/** Reports changes that no command caused. It keeps ids, not facts: the facts are observed when they are sent. */
export class FactReporter {
  readonly #changed = new Set<VmId>();
  readonly #unwatch: () => void;
  #scheduled: (() => void) | undefined;
  #closed = false;

  constructor(private readonly options: FactReporterOptions) {
    this.#unwatch = options.driver.watch((vmId) => {
      this.#changed.add(vmId);
      if (!options.busy(vmId)) this.#schedule(GATHER_MS);
    });
  }

  /** The VM's last command has ended with `lastFact` in its reply: only a different fact is reported. */
  async settled(vmId: VmId, lastFact: VmFact | undefined): Promise<void> {
    if (!this.#changed.has(vmId)) return;
    const now = await this.options.driver.observe(vmId);
    if (lastFact && sameFact(now, lastFact)) this.#changed.delete(vmId);
    else this.#schedule(GATHER_MS);
  }

  close(): void {
    this.#closed = true;
    this.#unwatch();
    this.#scheduled?.();
  }

  #schedule(ms: number): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = this.options.clock.after(ms, () => {
      this.#scheduled = undefined;
      void this.#report();
    });
  }

  async #report(): Promise<void> {
    const { driver, stamps, busy, send, onFailure } = this.options;
    const vmIds = [...this.#changed].filter((vmId) => !busy(vmId)).slice(0, FACTS_PER_REPORT);
    if (vmIds.length === 0) return;
    for (const vmId of vmIds) this.#changed.delete(vmId);
    try {
      const stamp = stamps.draw();
      await send(stamp, await Promise.all(vmIds.map((vmId) => driver.observe(vmId))));
      if (this.#changed.size > 0) this.#schedule(GATHER_MS);
    } catch (error) {
      for (const vmId of vmIds) this.#changed.add(vmId);
      this.#schedule(RETRY_MS);
      onFailure(error);
    }
  }
}

function sameFact(a: VmFact, b: VmFact): boolean {
  const same = a.power === b.power && a.incarnation === b.incarnation && a.reason === b.reason;
  return same && a.ready === b.ready && a.damaged === b.damaged;
}
