import type { ListFilter } from './operation.js';
import type { Random } from './random.js';

/** A token that one session offers for another session to adopt. */
export interface Handover {
  readonly token: string;
  /** The operation whose answer contained the token. */
  readonly after: number;
}

const GROUPS = ['red', 'green', 'blue'];
const MAILBOX = 40;
const LATELY_DELETED = 10;

/** Few lists, so that every cache contains all of them when a VM changes. */
const LISTS: readonly { path: string; filter: ListFilter }[] = [
  { query: '?limit=100', filter: {} },
  { query: '?limit=100&tag=group%3Dred', filter: { group: 'red' } },
  { query: '?limit=100&tag=group%3Dgreen', filter: { group: 'green' } },
  { query: '?limit=100&namePrefix=web', filter: { namePrefix: 'web' } },
  { query: '?limit=100&state=running', filter: { state: 'running' } },
  { query: '?limit=3&sort=-updatedAt', filter: { partial: true } },
].map(({ query, filter }) => ({ path: `/api/v1/vms${query}`, filter }));

/** A tenant whose sessions share a few VMs, so that each VM is hot and changes often. */
export class Tenant {
  readonly vms: string[] = [];
  readonly lists = LISTS;
  readonly mailbox: Handover[] = [];
  readonly #deleted: string[] = [];
  /** The number of VMs, including those in creation. */
  size = 0;
  #writes = 0;

  constructor(
    readonly number: number,
    readonly apiToken: string,
    /** the target number of VMs */
    readonly wanted: number,
  ) {}

  /** The next write's number. It goes into a tag, so that a body identifies its write. */
  nextWrite(): number {
    this.#writes += 1;
    return this.#writes;
  }

  group(random: Random): string {
    return random.pick(GROUPS);
  }

  any(random: Random): string {
    return random.pick(this.vms);
  }

  /** A recently deleted VM, if there is one. */
  lately(random: Random): string {
    return random.pick(this.#deleted.length > 0 ? this.#deleted : this.vms);
  }

  deleted(vm: string): void {
    const at = this.vms.indexOf(vm);
    if (at === -1) return; // two sessions deleted it
    this.vms.splice(at, 1);
    this.size -= 1;
    this.#deleted.push(vm);
    if (this.#deleted.length > LATELY_DELETED) this.#deleted.shift();
  }

  post(handover: Handover): void {
    this.mailbox.push(handover);
    if (this.mailbox.length > MAILBOX) this.mailbox.shift();
  }
}
