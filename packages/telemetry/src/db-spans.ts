import { SpanKind, trace } from '@opentelemetry/api';
import { dbQuery } from './diagnostics.js';
import { failSpan } from './trace.js';

/**
 * Turns queries into spans of the work that made them, named `<verb> <table>` as OpenTelemetry's conventions
 * for databases have it. What runs outside of any work, or in a trace that is not recorded, leaves none.
 */
export function traceQueries(): void {
  dbQuery.subscribe(({ role, queryType, table, durationMs, statement, error }) => {
    if (trace.getActiveSpan()?.isRecording() !== true) return;
    const end = Date.now();
    const attributes = {
      'db.system.name': 'postgresql',
      'db.operation.name': queryType,
      'db.collection.name': table,
      'novacron.db.role': role,
      ...(statement === undefined ? {} : { 'db.query.summary': statement.slice(0, 200) }),
    };
    const span = trace
      .getTracer('novacron')
      .startSpan(`${queryType} ${table}`, { kind: SpanKind.CLIENT, startTime: end - durationMs, attributes });
    if (error !== undefined) failSpan(span, error);
    span.end(end);
  });
}
