import { context, metrics, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace';
import { listenToDiagnostics } from './diagnostic-metrics.js';
import { createLogger, type Logger } from './logger.js';
import { meterProvider, metricsText } from './metrics.js';
import { outboundAgent } from './outbound.js';
import { watchRuntime } from './runtime-metrics.js';
import { drawnFirst, drawWith } from './unsampled.js';

/** A collector that does not answer must not hold up a shutdown for longer. */
const FLUSH_MS = 3_000;

export interface TelemetryOptions {
  readonly service: string;
  /** Share of new traces that are recorded, 0 to 1; a caller's decision is followed. Default 1 %. */
  readonly traceRatio?: number;
  /** Base URL of an OTLP/HTTP collector; without one no span leaves the process. */
  readonly otlpEndpoint?: string | undefined;
  /** Takes the lines about slow queries; by default one is made. */
  readonly logger?: Logger;
  /** What else sees the spans, for tests. */
  readonly spanProcessors?: readonly SpanProcessor[];
}

export interface Telemetry {
  metricsText(): Promise<string>;
  /** Sends what is buffered; gives up after 3 s. Never rejects. */
  flush(): Promise<void>;
  /** Flushes and ends. Never rejects. */
  stop(): Promise<void>;
}

/**
 * Turns on traces, metrics and the listeners for diagnostics. To be called once, before anything that is worth
 * tracing is made. Instruments nothing by itself: packages publish diagnostics, servers and clients make their spans.
 */
export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const logger = options.logger ?? createLogger(options.service);
  const ratio = options.traceRatio ?? 0.01;
  drawWith(ratio);
  const tracing = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': options.service }),
    sampler: new ParentBasedSampler({ root: drawnFirst(new TraceIdRatioBasedSampler(ratio)) }),
    spanProcessors: [...(options.spanProcessors ?? []), ...(await exporters(options.otlpEndpoint))],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(tracing);
  metrics.setGlobalMeterProvider(meterProvider);
  listenToDiagnostics(logger);
  watchRuntime();

  const flush = () =>
    tracing
      .forceFlush({ timeoutMillis: FLUSH_MS })
      // It rejects with a list: the errors of each processor.
      .catch((error: unknown) => logger.warn({ err: [error].flat()[0] }, 'spans could not be sent'));
  return {
    metricsText,
    flush,
    async stop() {
      await flush();
      await bounded(tracing.shutdown(), FLUSH_MS).catch((error: unknown) =>
        logger.warn({ err: error }, 'the span exporter did not end well'),
      );
    },
  };
}

/** Loaded only when needed: the exporter costs several megabytes. */
async function exporters(endpoint: string | undefined): Promise<SpanProcessor[]> {
  if (endpoint === undefined) return [];
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http');
  const url = `${endpoint.replace(/\/+$/, '')}/v1/traces`;
  const exporter = new OTLPTraceExporter({
    url,
    timeoutMillis: FLUSH_MS,
    httpAgentOptions: outboundAgent,
  });
  return [new BatchSpanProcessor({ exporter, maxQueueSize: 2048, exportTimeoutMillis: FLUSH_MS })];
}

async function bounded(work: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${ms} ms`)), ms);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
