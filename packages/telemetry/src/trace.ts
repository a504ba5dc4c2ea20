/**
 * Spans and trace context. Every request has a trace id, which the logs carry; only a sampled one records
 * spans. Below an unsampled span no further span is made, so that tracing costs next to nothing there.
 */
import {
  context,
  isSpanContextValid,
  propagation,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Attributes,
  type Span,
  type SpanContext,
} from '@opentelemetry/api';

import { decidesEverySpan } from './unsampled.js';

export { SpanKind, type Span };

type GetHeader = (name: string) => string | undefined;
type SetHeader = (name: string, value: string) => void;

const TRACER = 'novacron';
const reading = {
  get: (getHeader: GetHeader, name: string) => getHeader(name),
  keys: () => propagation.fields(),
};
const writing = { set: (setHeader: SetHeader, name: string, value: string) => setHeader(name, value) };

/**
 * Runs `fn` within a span of that name; the span ends when `fn` does, and records its error. The span given
 * to `fn` may be one that records nothing.
 */
export function withSpan<T>(
  name: string,
  attributes: Attributes,
  fn: (span: Span) => T,
  kind: SpanKind = SpanKind.INTERNAL,
): T {
  const parent = trace.getActiveSpan();
  if (parent !== undefined && isUnsampled(parent.spanContext()) && !decidesEverySpan()) return fn(parent);
  return trace.getTracer(TRACER).startActiveSpan(name, { attributes, kind }, (span) => runIn(span, fn));
}

/** As `withSpan`, for the receiving side of a hop: the parent is what the caller's headers name. */
export function withRemoteSpan<T>(
  name: string,
  getHeader: GetHeader,
  attributes: Attributes,
  fn: (span: Span) => T,
  kind: SpanKind = SpanKind.SERVER,
): T {
  const parent = propagation.extract(context.active(), getHeader, reading);
  return trace
    .getTracer(TRACER)
    .startActiveSpan(name, { attributes, kind }, parent, (span) => runIn(span, fn));
}

/** Hands the active trace context to `setHeader` as W3C headers (`traceparent`, `tracestate`), if there is one. */
export function injectTrace(setHeader: SetHeader): void {
  propagation.inject(context.active(), setHeader, writing);
}

/** Runs `fn` below the trace context of the W3C headers that `getHeader` reads; makes no span itself. */
export function runWithExtractedTrace<T>(getHeader: GetHeader, fn: () => T): T {
  return context.with(propagation.extract(context.active(), getHeader, reading), fn);
}

/** Trace and span id of what runs now, for a log line or an answer. */
export function activeTrace(): { traceId: string; spanId: string } | undefined {
  const active = trace.getActiveSpan()?.spanContext();
  return active !== undefined && isSpanContextValid(active)
    ? { traceId: active.traceId, spanId: active.spanId }
    : undefined;
}

/** Marks the span as failed; `error` may be anything that was thrown. */
export function failSpan(span: Span, error: unknown): void {
  if (!span.isRecording()) return;
  const known = error instanceof Error ? error : new Error(String(error));
  span.recordException(known);
  span.setStatus({ code: SpanStatusCode.ERROR, message: known.message });
}

function isUnsampled(spanContext: SpanContext): boolean {
  return (spanContext.traceFlags & TraceFlags.SAMPLED) === 0 && isSpanContextValid(spanContext);
}

function runIn<T>(span: Span, fn: (span: Span) => T): T {
  let result: T;
  try {
    result = fn(span);
  } catch (error) {
    failSpan(span, error);
    span.end();
    throw error;
  }
  if (!(result instanceof Promise)) {
    span.end();
    return result;
  }
  return result.then(
    (value: unknown) => {
      span.end();
      return value;
    },
    (error: unknown) => {
      failSpan(span, error);
      span.end();
      throw error;
    },
  ) as T;
}
