interface Flight<T> {
  /** The load began with this token: its result satisfies every token up to it. */
  readonly token: bigint;
  readonly result: Promise<T>;
}

interface KeyFlights<T> {
  /** In the order of their start. */
  readonly inFlight: Flight<T>[];
  /** The highest token of the callers that wait for a flight to end. */
  wanted: bigint | null;
  waiting: number;
}

export type Load<T> = (token: bigint) => Promise<T>;

/** Concurrent loads of one key. */
const MAX_IN_FLIGHT = 2;

/**
 * One load for all concurrent readers of a key. A reader whose token no load in flight promises starts a newer load,
 * which later readers join. When writers move the token faster than loads end, at most two loads are in flight. The
 * other readers wait for the newest one. They take its result when it is new enough, and otherwise start one load for
 * them all.
 */
export class SingleFlight<T> {
  readonly #keys = new Map<string, KeyFlights<T>>();
  joined = 0;

  /** @param satisfies whether a result answers a token that its load did not promise */
  constructor(private readonly satisfies: (result: T, token: bigint) => boolean) {}

  /** Keys with a load in flight. */
  get size(): number {
    return this.#keys.size;
  }

  /** @param load is called with `token` or a higher one; its result may be shared with other callers */
  run(key: string, token: bigint, load: Load<T>): Promise<T> {
    const flights = this.#keys.get(key);
    if (!flights) return this.#start(key, token, load);
    const promised = flights.inFlight.find((flight) => flight.token >= token);
    if (promised) {
      this.joined += 1;
      return promised.result;
    }
    if (flights.inFlight.length < MAX_IN_FLIGHT) return this.#start(key, token, load);
    return this.#wait(flights, key, token, load);
  }

  async #wait(flights: KeyFlights<T>, key: string, token: bigint, load: Load<T>): Promise<T> {
    this.joined += 1;
    flights.waiting += 1;
    if (flights.wanted === null || flights.wanted < token) flights.wanted = token;
    const newest = flights.inFlight.at(-1) as Flight<T>;
    // Its failure reaches the callers whose token it promised.
    const result = await newest.result.catch(() => undefined);
    flights.waiting -= 1;
    if (result === undefined || !this.satisfies(result, token)) return this.run(key, token, load);
    this.#tidy(key, flights);
    return result;
  }

  #start(key: string, token: bigint, load: Load<T>): Promise<T> {
    const flights = this.#keys.get(key) ?? { inFlight: [], wanted: null, waiting: 0 };
    this.#keys.set(key, flights);
    const highest = flights.wanted !== null && flights.wanted > token ? flights.wanted : token;
    flights.wanted = null;
    const flight: Flight<T> = {
      token: highest,
      result: load(highest).finally(() => {
        flights.inFlight.splice(flights.inFlight.indexOf(flight), 1);
        this.#tidy(key, flights);
      }),
    };
    flights.inFlight.push(flight);
    return flight.result;
  }

  #tidy(key: string, flights: KeyFlights<T>): void {
    if (flights.waiting > 0) return;
    flights.wanted = null;
    if (flights.inFlight.length === 0) this.#keys.delete(key);
  }
}
