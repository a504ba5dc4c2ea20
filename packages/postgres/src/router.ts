import { sleep } from '@novacron/async/sleep';
import type { Position } from '@novacron/contracts/position';
import type { Replica } from './replica.js';

/** A commit shows on a replica after about a millisecond; longer than this and the primary answers. */
const WAIT_MS = 8;
const LOOK_EVERY_MS = 1;

/** The part of a replica that a choice reads. */
type Candidate = Pick<Replica, 'weight' | 'load' | 'replayed' | 'has' | 'shares' | 'look'>;

/**
 * Chooses the replica for a read among those that are healthy and have replayed far enough: the one with the
 * least in hand for its weight, and of equals one by weight.
 */
export class Router<R extends Candidate = Replica> {
  /** One probe of a replica at a time serves every read that waits for it. */
  readonly #looks = new Map<R, Promise<unknown>>();

  constructor(
    private readonly replicas: readonly R[],
    private readonly random: () => number = Math.random,
  ) {}

  /** A replica that has `position`, after a short wait when none has; null: ask the primary. */
  async pick(position: Position | undefined): Promise<R | null> {
    const ready = this.#leastBusy((replica) => replica.has(position));
    if (ready || position === undefined) return ready;
    const until = performance.now() + WAIT_MS;
    let candidate = this.#nearest(position);
    while (candidate) {
      await this.#look(candidate);
      if (candidate.has(position)) return candidate;
      if (performance.now() + LOOK_EVERY_MS >= until) return null;
      await sleep(LOOK_EVERY_MS);
      candidate = this.#nearest(position);
    }
    return null;
  }

  #leastBusy(fits: (replica: R) => boolean): R | null {
    const fitting = this.replicas.filter((replica) => replica.weight > 0 && fits(replica));
    if (fitting.length <= 1) return fitting[0] ?? null;
    const busy = (replica: R): number => replica.load / replica.weight;
    const least = Math.min(...fitting.map(busy));
    return this.#draw(fitting.filter((replica) => busy(replica) === least));
  }

  #draw(replicas: readonly R[]): R | null {
    let mark = this.random() * replicas.reduce((sum, replica) => sum + replica.weight, 0);
    for (const replica of replicas) {
      mark -= replica.weight;
      if (mark < 0) return replica;
    }
    return replicas.at(-1) ?? null;
  }

  /** The replica on that timeline that has replayed most: it has the position first. */
  #nearest(position: Position): R | null {
    let nearest: R | null = null;
    for (const replica of this.replicas) {
      if (replica.weight === 0 || !replica.shares(position)) continue;
      if (nearest === null || replica.replayed > nearest.replayed) nearest = replica;
    }
    return nearest;
  }

  #look(replica: R): Promise<unknown> {
    let look = this.#looks.get(replica);
    if (!look) {
      look = replica.look().finally(() => this.#looks.delete(replica));
      this.#looks.set(replica, look);
    }
    return look;
  }
}
