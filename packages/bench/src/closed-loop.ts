export interface Loop {
  /** what was answered */
  readonly count: number;
  readonly seconds: number;
  /** milliseconds of each */
  readonly latencies: readonly number[];
}

/**
 * Keeps `inFlight` calls going for `seconds`: each is followed by the next as soon as it is answered.
 * The time ends with the last answer. The first error ends it all.
 */
export async function closedLoop(
  { inFlight, seconds }: { readonly inFlight: number; readonly seconds: number },
  work: () => Promise<void>,
): Promise<Loop> {
  const latencies: number[] = [];
  const start = performance.now();
  const end = start + seconds * 1_000;
  const one = async (): Promise<void> => {
    for (let began = performance.now(); began < end; began = performance.now()) {
      await work();
      latencies.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, one));
  return { count: latencies.length, seconds: (performance.now() - start) / 1_000, latencies };
}
