import { seededRandom } from '@novacron/async/random';

/** Seeded random choices: the same seed gives the same choices in the same order. */
export class Random {
  /** A number in [0, 1). */
  readonly next: () => number;

  constructor(seed: number) {
    this.next = seededRandom(seed);
  }

  /** A whole number in [from, to]. */
  between(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** A random element. @throws Error when `all` is empty */
  pick<T>(all: readonly T[]): T {
    if (all.length === 0) throw new Error('cannot pick from an empty list');
    return all[Math.floor(this.next() * all.length)] as T;
  }

  shuffled<T>(all: readonly T[]): T[] {
    const left = [...all];
    const mixed: T[] = [];
    while (left.length > 0) mixed.push(...left.splice(Math.floor(this.next() * left.length), 1));
    return mixed;
  }

  /** A new sequence that this one determines. Draws from it do not change this sequence. */
  fork(): Random {
    return new Random(Math.floor(this.next() * 4_294_967_296));
  }
}
