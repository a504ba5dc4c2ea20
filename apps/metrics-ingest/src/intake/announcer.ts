import { type MetricsInvalidation, invalidationSubjects } from '@novacron/contracts/invalidation';
import { formatPosition, maxPosition, type Position } from '@novacron/contracts/position';
import { randomUUID } from 'node:crypto';

export interface AnnouncerOptions {
  /** Sends one message to all caches, at most once. */
  readonly publish: (subject: string, message: string) => void;
  /** While it is not so, what is to be told waits. */
  readonly connected: () => boolean;
  /** Shortest time between two announcements, milliseconds. */
  readonly everyMs?: number;
  /** VMs in one message. */
  readonly maxVms?: number;
}

const EVERY_MS = 100;
/** Some 160 KB. */
const MAX_VMS = 2_000;

/**
 * Tells caches whose VMs have new points, once for all writes of 100 ms; the first after a pause goes out at once.
 * What waits is a VM's two ids, each VM once. Messages are numbered, so that a lost one is noticed.
 */
export class Announcer {
  #waiting = new Map<string, string>();
  #position: Position | undefined;
  #toldAt = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #source = randomUUID();
  #n = 0;

  constructor(private readonly options: AnnouncerOptions) {}

  /** New points of these VMs are committed. @param position at or after the commit */
  add(vms: Iterable<{ readonly vmId: string; readonly tenantId: string }>, position: Position): void {
    for (const { vmId, tenantId } of vms) this.#waiting.set(vmId, tenantId);
    this.#position = this.#position ? maxPosition(this.#position, position) : position;
    this.#schedule();
  }

  /** Something may have been committed that nobody tells, or others own what was ours: who listens begins anew. */
  restart(): void {
    this.#source = randomUUID();
    this.#n = 0;
  }

  /** All commits of these partitions up to `upTo` have been added. */
  complete(partitions: readonly number[], upTo: Position): void {
    this.#tell();
    // What still waits is not told yet, so nothing is complete.
    if (this.#waiting.size > 0 || !this.options.connected()) return;
    this.#send([], formatPosition(upTo), partitions);
  }

  /** Tells what waits. */
  close(): void {
    this.#closed = true;
    this.#tell();
  }

  #schedule(): void {
    if (this.#timer || this.#closed || this.#waiting.size === 0) return;
    const everyMs = this.options.everyMs ?? EVERY_MS;
    const wait = Math.max(0, this.#toldAt + everyMs - performance.now());
    if (wait === 0 && this.options.connected()) this.#tell();
    else this.#timer = setTimeout(() => this.#tell(), wait || everyMs).unref();
  }

  #tell(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting.size > 0) this.#toldAt = performance.now();
    if (this.options.connected() && this.#position) {
      const position = formatPosition(this.#position);
      const all = [...this.#waiting];
      const size = this.options.maxVms ?? MAX_VMS;
      for (let from = 0; from < all.length; from += size) this.#send(all.slice(from, from + size), position);
      this.#waiting.clear();
      this.#position = undefined;
    }
    this.#schedule();
  }

  #send(vms: readonly (readonly [string, string])[], position: string, complete?: readonly number[]): void {
    const message: MetricsInvalidation = {
      v: 1,
      source: this.#source,
      n: (this.#n += 1),
      complete: complete ? { partitions: [...complete], upTo: position } : null,
      vmIds: vms.map(([vmId]) => vmId),
      tenantIds: vms.map(([, tenantId]) => tenantId),
      position,
      at: Date.now(),
    };
    this.options.publish(invalidationSubjects.metrics, JSON.stringify(message));
  }
}
