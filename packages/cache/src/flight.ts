interface Flight<T> {
  /** The load began with this token: its result satisfies every token up to it. */
  readonly token: bigint;
  readonly result: Promise<T>;
}

/**
 * One load for each key at a time. Who asks with a token that the load in flight does not promise starts a newer
 * one, which later askers join.
 */
export class Flights<T> {
  readonly #flights = new Map<string, Flight<T>>();
  joined = 0;

  get size(): number {
    return this.#flights.size;
  }

  run(key: string, token: bigint, load: () => Promise<T>): Promise<T> {
    const flying = this.#flights.get(key);
    if (flying && flying.token >= token) {
      this.joined += 1;
      return flying.result;
    }
    const flight: Flight<T> = {
      token,
      result: load().finally(() => {
        if (this.#flights.get(key) === flight) this.#flights.delete(key);
      }),
    };
    this.#flights.set(key, flight);
    return flight.result;
  }
}
