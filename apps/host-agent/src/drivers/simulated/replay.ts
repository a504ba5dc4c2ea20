import type { Sample } from '../driver.js';
import type { Guest } from './guest.js';
import { TRACE_LINES, TRACE_STEP_MS, traceFor, type Trace } from './trace.js';

/**
 * A recorded day played through guests that ran all day: for each line of the recording, the samples of all
 * guests, at `from` plus five minutes for each line, with the recorded values as they are.
 * @param from milliseconds since 1970
 */
export function* replayDay(
  traces: readonly Trace[],
  guests: readonly Guest[],
  from: number,
): Iterable<Sample[]> {
  const played = guests.map((guest) => ({ vmId: guest.vmId, trace: traceFor(traces, guest) }));
  for (let line = 0; line < TRACE_LINES; line++) {
    const time = from + line * TRACE_STEP_MS;
    yield played.flatMap(({ vmId, trace }): Sample[] => {
      const cpu = trace?.cpu[line];
      const memory = trace?.memory[line];
      if (cpu === undefined || memory === undefined) return [];
      return [{ vmId, time, values: { cpu_usage: cpu, memory_usage: memory } }];
    });
  }
}
