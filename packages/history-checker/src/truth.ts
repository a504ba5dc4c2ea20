import type { Operation, ObservedVm } from './operation.js';

type Patch = Extract<Operation, { kind: 'patch' }>;
type Delete = Extract<Operation, { kind: 'delete' }>;
interface Patched {
  readonly version: number;
  readonly write: number;
}

/** The longest duration of an operation. */
const LONGEST_MS = 30_000;
/** Statuses of a refusal before the write. After any other failure the write may exist and become visible later. */
const REFUSED = new Set([400, 401, 403, 404, 409, 412, 422, 429]);

function mayHaveHappened({ status }: Operation): boolean {
  return !REFUSED.has(status);
}

/** The writes of all sessions to each VM, collected from the whole history before the check. */
export class Truth {
  readonly #patches = new Map<string, Patch[]>();
  readonly #deletes = new Map<string, Delete[]>();
  readonly #tenants = new Map<string, number>();
  readonly #acknowledged = new Map<string, Patched[]>();
  /** Acknowledged versions in the order of completion. */
  readonly #reached = new Map<string, { end: number; version: number; from: number }[]>();
  readonly #bodies = new Map<string, { write: number; from: number }>();

  constructor(operations: readonly Operation[]) {
    for (const operation of operations) this.#take(operation);
    for (const patches of this.#acknowledged.values()) patches.sort((a, b) => a.version - b.version);
  }

  #take(operation: Operation): void {
    if (operation.kind === 'get' || operation.kind === 'list' || !mayHaveHappened(operation)) return;
    if (operation.kind === 'delete') return push(this.#deletes, operation.vm, operation);
    if (operation.kind === 'patch') push(this.#patches, operation.vm, operation);
    const { observed, end, id, write } = operation;
    if (!observed) return;
    this.#tenants.set(observed.vm, operation.tenant);
    push(this.#acknowledged, observed.vm, { version: observed.version, write });
    push(this.#reached, observed.vm, { end, version: observed.version, from: id });
  }

  /** Whether a delete of the VM had been sent by `time`. */
  mayBeDeleted(vm: string, time: number): boolean {
    return this.#deletes.get(vm)?.some(({ start }) => start < time) ?? false;
  }

  /** Whether by `time` a patch had been sent that may have taken the VM out of `group` after `version`. */
  mayHaveLeft(vm: string, group: string, version: number, time: number): boolean {
    const patches = this.#patches.get(vm) ?? [];
    // It is usually among the latest before `time`.
    for (let i = firstEndedAfter(patches, time + LONGEST_MS) - 1; i >= 0; i--) {
      const patch = patches[i] as Patch;
      if (patch.group === group || patch.start >= time) continue;
      if (patch.observed === undefined || patch.observed.version > version) return true;
    }
    return false;
  }

  /** The tenant of the VM; undefined when no session received the answer of its creation. */
  tenantOf(vm: string): number | undefined {
    return this.#tenants.get(vm);
  }

  /** The highest version that any session had received by `time`. */
  reachedBy(vm: string, time: number): { version: number; from: number } {
    const best = { version: 0, from: -1 };
    for (const { end, version, from } of this.#reached.get(vm) ?? []) {
      if (end > time) break;
      if (version > best.version) Object.assign(best, { version, from });
    }
    return best;
  }

  /** Why a body does not fit its version; undefined when it fits. */
  contradiction(observed: ObservedVm, from: number): { says: string; evidence?: number } | undefined {
    const name = `${observed.vm} ${observed.version}`;
    const known = this.#bodies.get(name);
    if (known === undefined) this.#bodies.set(name, { write: observed.write, from });
    else if (known.write !== observed.write)
      return {
        says: `version ${observed.version} was observed with write ${known.write}, now with ${observed.write}`,
        evidence: known.from,
      };
    const written = this.#acknowledged.get(observed.vm) ?? [];
    const last = written.findLast(({ version }) => version <= observed.version);
    if (!last || last.write === observed.write) return undefined;
    const own = written.find(({ write }) => write === observed.write);
    // The version of a write without an answer is unknown.
    if (own === undefined) return undefined;
    return {
      says: `version ${observed.version} shows write ${observed.write} (version ${own.version}), which write ${last.write} replaced at ${last.version}`,
    };
  }
}

function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  const all = map.get(key);
  if (all) all.push(value);
  else map.set(key, [value]);
}

/** Index of the first operation that ended after `time`. They are sorted by their end. */
function firstEndedAfter(all: readonly Operation[], time: number): number {
  let from = 0;
  let to = all.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((all[middle] as Operation).end > time) to = middle;
    else from = middle + 1;
  }
  return from;
}
