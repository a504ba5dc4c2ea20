import { trace } from '@opentelemetry/api';
import { pino, type DestinationStream, type Logger } from 'pino';
import { counter } from './metrics.js';

export type { Logger };
const KEPT_BYTES = 1_048_576;
const failed = counter('novacron_log_write_failures_total', 'Attempts to write log lines that failed', [{}]);
const dropped = counter(
  'novacron_log_lines_dropped_total',
  'Log lines that were dropped since standard output took none for too long',
  [{}],
);

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/**
 * One JSON object for each line, to standard output: `level`, `time` (RFC 3339), `service`, `msg`, and within
 * a span `traceId` and `spanId`. An error goes under the key `err`.
 * @param destination where the lines go instead, for tests
 */
export function createLogger(
  service: string,
  level: LogLevel = 'info',
  destination?: DestinationStream,
): Logger {
  return pino(
    {
      level,
      base: { service, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      mixin: traceIds,
      redact: {
        paths: ['password', 'token', 'authorization', 'headers.authorization'],
        censor: '[redacted]',
      },
    },
    destination ?? standardOutput(),
  );
}

/**
 * Standard output, which may be a file on a disk that is full: a line that cannot be written waits for the next one,
 * up to {@link KEPT_BYTES}; further lines are dropped and counted. Logging never throws.
 */
function standardOutput(): DestinationStream {
  const output = pino.destination({ fd: 1, sync: true, maxLength: KEPT_BYTES });
  output.on('error', () => failed.add());
  output.on('drop', () => dropped.add());
  return output;
}

function traceIds(): object {
  const active = trace.getActiveSpan()?.spanContext();
  return active === undefined ? {} : { traceId: active.traceId, spanId: active.spanId };
}
