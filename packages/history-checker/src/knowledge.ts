/** A session's knowledge of one VM, from operation `from`. */
export interface Known {
  readonly version: number;
  readonly group: string;
  readonly name: string;
  /** `deleting`: a delete was accepted; `gone`: the session observed its absence. */
  readonly end: 'none' | 'deleting' | 'gone';
  readonly from: number;
}

/** The maximum number of VMs. Beyond it the oldest of the deleted VMs are forgotten. */
const MAX_KNOWN = 200;

/** Everything that a session has written or observed. Its later reads must not be older. */
export class Knowledge {
  readonly #known: Map<string, Known>;

  constructor(from: Iterable<readonly [string, Known]> = []) {
    this.#known = new Map(from);
  }

  of(vm: string): Known | undefined {
    return this.#known.get(vm);
  }

  all(): Iterable<readonly [string, Known]> {
    return this.#known;
  }

  saw(vm: string, observed: Pick<Known, 'version' | 'group' | 'name'>, from: number): void {
    const known = this.#known.get(vm);
    if (known && known.version >= observed.version) return;
    if (!known && this.#known.size >= MAX_KNOWN) this.#forget();
    this.#known.set(vm, {
      version: observed.version,
      group: observed.group,
      name: observed.name,
      end: known?.end ?? 'none',
      from,
    });
  }

  ended(vm: string, end: 'deleting' | 'gone', from: number): void {
    const known = this.#known.get(vm);
    // The absence of an unknown VM proves nothing, because the server may not have its creation yet.
    if (!known && end === 'gone') return;
    const before = known ?? { version: 0, group: '', name: '', end: 'none', from };
    if (before.end !== 'gone' && before.end !== end) this.#known.set(vm, { ...before, end, from });
  }

  #forget(): void {
    for (const [vm, { end }] of this.#known) if (end === 'gone') return void this.#known.delete(vm);
  }

  copy(): Knowledge {
    return new Knowledge(this.#known);
  }
}
