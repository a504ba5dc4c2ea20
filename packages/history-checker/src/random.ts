/** Seeded random numbers (mulberry32): the same seed gives the same choices in the same order. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
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
