import type { Position } from '@novacron/contracts/position';
import type { Replica } from './replica.js';

/** A commit shows on a replica after about a millisecond; longer than this and the primary answers. */
const WAIT_MS = 8;
const LOOK_EVERY_MS = 1;

/** Chooses the replica for a read: by weight among those that are healthy and have replayed far enough. */
export class Router {
  /** One look at a replica at a time serves everyone who waits for it. */
  readonly #looks = new Map<Replica, Promise<unknown>>();

  constructor(
    private readonly replicas: readonly Replica[],
    private readonly random: () => number = Math.random,
  ) {}

  /** A replica that has `position`, after a short wait when none has; null: ask the primary. */
  async pick(position: Position | undefined): Promise<Replica | null> {
    const ready = this.#draw((replica) => replica.has(position));
    if (ready || position === undefined) return ready;
    const until = performance.now() + WAIT_MS;
    let candidate = this.#draw((replica) => replica.shares(position));
    while (candidate) {
      await this.#look(candidate);
      if (candidate.has(position)) return candidate;
      if (performance.now() + LOOK_EVERY_MS >= until) return null;
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
      candidate = this.#draw((replica) => replica.shares(position));
    }
    return null;
  }

  #draw(fits: (replica: Replica) => boolean): Replica | null {
    const fitting = this.replicas.filter((replica) => replica.weight > 0 && fits(replica));
    let mark = this.random() * fitting.reduce((sum, replica) => sum + replica.weight, 0);
    for (const replica of fitting) {
      mark -= replica.weight;
      if (mark < 0) return replica;
    }
    return null;
  }

  #look(replica: Replica): Promise<unknown> {
    let look = this.#looks.get(replica);
    if (!look) {
      look = replica.look().finally(() => this.#looks.delete(replica));
      this.#looks.set(replica, look);
    }
    return look;
  }
}
