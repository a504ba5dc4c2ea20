interface Flight<T> {
  /** The load began with this token: its result satisfies every token up to it. */
  readonly token: bigint;
  readonly result: Promise<T>;
}

interface Lane<T> {
  /** In the order of their start. */
  readonly flying: Flight<T>[];
  /** The highest token of those that wait for a flight to end. */
  wanted: bigint | null;
  waiting: number;
}

export type Load<T> = (token: bigint) => Promise<T>;

/** Loads of one key at a time. */
const IN_THE_AIR = 2;

/**
 * One load for each key. Who asks with a token that no load in flight promises starts a newer one, which later
 * askers join. When writers move the token faster than loads end, two are in the air at most: the others wait for
 * the newest one, take its result if it turned out to be new enough, and else start one for them all.
 */
export class Flights<T> {
  readonly #lanes = new Map<string, Lane<T>>();
  joined = 0;

  /** @param satisfies whether a result answers a token that its load did not promise */
  constructor(private readonly satisfies: (result: T, token: bigint) => boolean) {}

  /** Keys with a load in flight. */
  get size(): number {
    return this.#lanes.size;
  }

  /** @param load is called with `token` or a higher one; it may be shared, so it must not be one asker's alone */
  run(key: string, token: bigint, load: Load<T>): Promise<T> {
    const lane = this.#lanes.get(key);
    if (!lane) return this.#start(key, token, load);
    const promised = lane.flying.find((flight) => flight.token >= token);
    if (promised) {
      this.joined += 1;
      return promised.result;
    }
    if (lane.flying.length < IN_THE_AIR) return this.#start(key, token, load);
    return this.#wait(lane, key, token, load);
  }

  async #wait(lane: Lane<T>, key: string, token: bigint, load: Load<T>): Promise<T> {
    this.joined += 1;
    lane.waiting += 1;
    if (lane.wanted === null || lane.wanted < token) lane.wanted = token;
    const newest = lane.flying.at(-1) as Flight<T>;
    // Its failure is told to those whom it promised a result.
    const result = await newest.result.catch(() => undefined);
    lane.waiting -= 1;
    if (result === undefined || !this.satisfies(result, token)) return this.run(key, token, load);
    this.#tidy(key, lane);
    return result;
  }

  #start(key: string, token: bigint, load: Load<T>): Promise<T> {
    const lane = this.#lanes.get(key) ?? { flying: [], wanted: null, waiting: 0 };
    this.#lanes.set(key, lane);
    const highest = lane.wanted !== null && lane.wanted > token ? lane.wanted : token;
    lane.wanted = null;
    const flight: Flight<T> = {
      token: highest,
      result: load(highest).finally(() => {
        lane.flying.splice(lane.flying.indexOf(flight), 1);
        this.#tidy(key, lane);
      }),
    };
    lane.flying.push(flight);
    return flight.result;
  }

  #tidy(key: string, lane: Lane<T>): void {
    if (lane.waiting > 0) return;
    lane.wanted = null;
    if (lane.flying.length === 0) this.#lanes.delete(key);
  }
}
