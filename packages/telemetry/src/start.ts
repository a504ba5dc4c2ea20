import { withDeadline } from '@novacron/async/deadline';
import { getBooleanFromEnv, getStringFromEnv, W3CTraceContextPropagator } from '@opentelemetry/core';
import { defaultResource, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { NodeSDK } from '@opentelemetry/sdk-node';
import type { SpanProcessor } from '@opentelemetry/sdk-trace';
import { listenToDiagnostics } from './diagnostic-metrics.js';
import { EXPORT_TIMEOUT_MS, pushingReaders, spanProcessors } from './exporters.js';
import { createLogger, type Logger } from './logger.js';
import { metricsText, registry, TextReader } from './metrics.js';
import { watchRuntime } from './runtime-metrics.js';
import { samplerFromEnvironment } from './sampling.js';
import { drawWith } from './unsampled.js';

export interface TelemetryOptions {
  /** `service.name`, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES says otherwise. */
  readonly service: string;
  /** Share of new traces that are recorded, 0 to 1, where OTEL_TRACES_SAMPLER is not set. Default 1 %. */
  readonly traceRatio?: number;
  /** Base URL of an OTLP collector; without one no span leaves the process. */
  readonly otlpEndpoint?: string | undefined;
  /** Takes the lines about slow queries; by default one is made. */
  readonly logger?: Logger;
  /** Further processors that see the spans, for tests. */
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
 * Starts the OpenTelemetry SDK and the listeners for diagnostics. To be called once, before anything that is worth
 * tracing is made. Instruments nothing by itself: packages publish diagnostics, servers and clients make their spans.
 * The standard OTEL_* variables hold; with OTEL_SDK_DISABLED there are no spans, and /metrics is served all the same.
 * @throws when an OTEL_* variable has a value that it cannot have
 */
export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const logger = options.logger ?? createLogger(options.service);
  const processors = [...(options.spanProcessors ?? []), ...(await spanProcessors(options.otlpEndpoint))];
  const sdk = new NodeSDK({
    instrumentations: [],
    resource: defaultResource().merge(resourceFromAttributes({ 'service.name': options.service })),
    sampler: samplerFromEnvironment(options.traceRatio ?? 0.01),
    spanProcessors: processors,
    metricReaders: [new TextReader(), ...(await pushingReaders(options.otlpEndpoint, registry))],
    // Log lines go to standard output.
    logRecordProcessors: [],
    ...(getStringFromEnv('OTEL_NODE_RESOURCE_DETECTORS') ? {} : { resourceDetectors: [envDetector] }),
    // The baggage of a client is not handed on, unless OTEL_PROPAGATORS says so.
    ...(getStringFromEnv('OTEL_PROPAGATORS') ? {} : { textMapPropagator: new W3CTraceContextPropagator() }),
  });
  sdk.start();
  if (getBooleanFromEnv('OTEL_SDK_DISABLED')) drawWith(0);
  listenToDiagnostics(logger);
  watchRuntime();

  const flush = () =>
    Promise.all(processors.map((processor) => inTime(() => processor.forceFlush()))).then(
      () => undefined,
      (error: unknown) => logger.warn({ err: error }, 'span export failed'),
    );
  return {
    metricsText,
    flush,
    async stop() {
      await flush();
      await inTime(() => sdk.shutdown()).catch((error: unknown) =>
        logger.warn({ err: error }, 'telemetry shutdown failed'),
      );
    },
  };
}

function inTime(work: () => Promise<void>): Promise<void> {
  return withDeadline(work, EXPORT_TIMEOUT_MS, () => new Error(`not done within ${EXPORT_TIMEOUT_MS} ms`));
}
