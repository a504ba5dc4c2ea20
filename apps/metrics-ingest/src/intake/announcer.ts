import { type MetricsInvalidation, invalidationSubjects } from '@novacron/contracts/invalidation';
import { formatPosition, maxPosition, type Position } from '@novacron/contracts/position';
import { randomUUID } from 'node:crypto';

export interface AnnouncerOptions {
  /** Publishes one message to all caches, at most once. */
  readonly publish: (subject: string, message: string) => void;
  /** While it is false, announcements wait. */
  readonly connected: () => boolean;
  /** The shortest time between two announcements, milliseconds. */
  readonly everyMs?: number;
  /** The maximum number of VMs in one message. */
  readonly maxVms?: number;
}

const EVERY_MS = 100;
/** About 160 KB. */
const MAX_VMS = 2_000;

/**
 * Announces to caches which VMs have new points: once for all writes within 100 ms, and at once after a pause. Only the
 * ids of a VM wait, each VM once. Messages are numbered, so that caches detect a lost one.
 */
export class Announcer {
  #waiting = new Map<string, string>();
  #position: Position | undefined;
  #publishedAt = -Infinity;
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

  /** Some commits may have no announcement, or the partitions have other owners. Caches must start over. */
  restart(): void {
    this.#source = randomUUID();
    this.#n = 0;
  }

  /** All commits of these partitions up to `upTo` have been added. */
  complete(partitions: readonly number[], upTo: Position): void {
    this.#publish();
    // Announcements that still wait would make `complete` false.
    if (this.#waiting.size > 0 || !this.options.connected()) return;
    this.#send([], formatPosition(upTo), partitions);
  }

  /** Publishes the waiting announcements. */
  close(): void {
    this.#closed = true;
    this.#publish();
  }

  #schedule(): void {
    if (this.#timer || this.#closed || this.#waiting.size === 0) return;
    const everyMs = this.options.everyMs ?? EVERY_MS;
    const wait = Math.max(0, this.#publishedAt + everyMs - performance.now());
    if (wait === 0 && this.options.connected()) this.#publish();
    else this.#timer = setTimeout(() => this.#publish(), wait || everyMs).unref();
  }

  #publish(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting.size > 0) this.#publishedAt = performance.now();
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
