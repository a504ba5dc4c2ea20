import type { History, Operation, Outage, ObservedVm } from './operation.js';

/** An operation without its number. Distributes over the union. */
type Unnumbered<T> = T extends unknown ? Omit<T, 'id'> : never;

/** The errors that a fault excuses; null for none. */
export type Excuse = Pick<Outage, 'gateway' | 'replicasAnswer'> | null;

/** Records operations in the order of completion, and faults. */
export class HistoryRecorder {
  readonly operations: Operation[] = [];
  readonly outages: Outage[] = [];
  readonly faults: Outage[] = [];
  /** Interned observations, because many answers show the same. */
  readonly #observed = new Map<string, ObservedVm>();
  readonly #begunAt = performance.now();

  /** Milliseconds since the start of the run. */
  now(): number {
    return performance.now() - this.#begunAt;
  }

  observed(observed: ObservedVm): ObservedVm {
    const name = JSON.stringify(Object.values(observed));
    const known = this.#observed.get(name);
    if (known === undefined) this.#observed.set(name, observed);
    return known ?? observed;
  }

  ended(operation: Unnumbered<Operation>): Operation {
    const numbered = { ...operation, id: this.operations.length } as Operation;
    this.operations.push(numbered);
    return numbered;
  }

  /** Records the start of a fault. @returns a function that records its end */
  fault(fault: string, excuses: Excuse): (graceMs: number) => void {
    const from = this.now();
    const began: Outage = { fault, from, to: Infinity, ...excuses };
    const lists = excuses === null ? [this.faults] : [this.faults, this.outages];
    for (const list of lists) list.push(began);
    return (graceMs) => {
      const over = this.now();
      for (const list of lists) {
        list[list.indexOf(began)] = { ...began, to: over + (list === this.outages ? graceMs : 0) };
      }
    };
  }

  history(): History {
    return this;
  }
}
