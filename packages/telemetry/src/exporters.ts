/**
 * Where spans and metrics go, by the standard variables. Without any of them nothing leaves the process. An exporter
 * is imported when it is asked for.
 */
import { getNumberFromEnv, getStringFromEnv, getStringListFromEnv } from '@opentelemetry/core';
import {
  ConsoleMetricExporter,
  PeriodicExportingMetricReader,
  type IMetricReader,
  type MetricProducer,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';
import {
  BatchSpanProcessor,
  ConsoleSpanExporter,
  NoopSpanProcessor,
  SimpleSpanProcessor,
  type SpanExporter,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace';
import { outboundAgent } from './outbound.js';

/** A collector that does not answer must not hold up a shutdown for longer. */
export const EXPORT_TIMEOUT_MS = 3_000;

type Signal = 'traces' | 'metrics';

interface OtlpOptions {
  readonly url?: string;
  readonly timeoutMillis?: number;
  readonly httpAgentOptions: typeof outboundAgent;
}

type Otlp<T> = Readonly<Record<string, (options: OtlpOptions) => Promise<T>>>;

const TRACES: Otlp<SpanExporter> = {
  'http/json': async (options) =>
    new (await import('@opentelemetry/exporter-trace-otlp-http')).OTLPTraceExporter(options),
  'http/protobuf': async (options) =>
    new (await import('@opentelemetry/exporter-trace-otlp-proto')).OTLPTraceExporter(options),
  grpc: async (options) =>
    new (await import('@opentelemetry/exporter-trace-otlp-grpc')).OTLPTraceExporter(options),
};

const METRICS: Otlp<PushMetricExporter> = {
  'http/json': async (options) =>
    new (await import('@opentelemetry/exporter-metrics-otlp-http')).OTLPMetricExporter(options),
  'http/protobuf': async (options) =>
    new (await import('@opentelemetry/exporter-metrics-otlp-proto')).OTLPMetricExporter(options),
  grpc: async (options) =>
    new (await import('@opentelemetry/exporter-metrics-otlp-grpc')).OTLPMetricExporter(options),
};

/**
 * The processors of OTEL_TRACES_EXPORTER: `otlp`, `console`, `none`; by default `otlp` where there is an endpoint.
 * @param endpoint base URL of a collector
 * @throws when a variable has a value that it cannot have
 */
export function spanProcessors(endpoint: string | undefined): Promise<SpanProcessor[]> {
  const isOn = endpoint !== undefined || variable('traces', 'ENDPOINT') !== undefined;
  const names = exporterNames('traces') ?? [isOn ? 'otlp' : 'none'];
  return Promise.all(
    names.map(async (name) => {
      if (name === 'otlp') return batched(await otlp(TRACES, 'traces', endpoint));
      if (name === 'console') return new SimpleSpanProcessor({ exporter: new ConsoleSpanExporter() });
      // Without any processor the SDK makes no tracer, and log lines would lose their trace ids.
      if (name === 'none') return new NoopSpanProcessor();
      throw new Error(`OTEL_TRACES_EXPORTER must be otlp, console or none, not ${name}`);
    }),
  );
}

/**
 * The readers of OTEL_METRICS_EXPORTER that push: `otlp`, `console`. /metrics is served whatever it says.
 * @throws when a variable has a value that it cannot have
 */
export function pushingReaders(
  endpoint: string | undefined,
  producer: MetricProducer,
): Promise<IMetricReader[]> {
  const names = (exporterNames('metrics') ?? []).filter((name) => name !== 'none' && name !== 'prometheus');
  return Promise.all(
    names.map(async (name) => {
      if (name === 'otlp') return periodic(await otlp(METRICS, 'metrics', endpoint), producer);
      if (name === 'console') return periodic(new ConsoleMetricExporter(), producer);
      throw new Error(`OTEL_METRICS_EXPORTER must be otlp, console, prometheus or none, not ${name}`);
    }),
  );
}

function otlp<T>(exporters: Otlp<T>, signal: Signal, endpoint: string | undefined): Promise<T> {
  const protocol =
    variable(signal, 'PROTOCOL') ?? getStringFromEnv('OTEL_EXPORTER_OTLP_PROTOCOL') ?? 'http/json';
  const create = exporters[protocol];
  if (create === undefined)
    throw new Error(
      `OTEL_EXPORTER_OTLP_PROTOCOL must be ${Object.keys(exporters).join(', ')}, not ${protocol}`,
    );
  const ownEndpoint = variable(signal, 'ENDPOINT') !== undefined;
  const ownTimeout = variable(signal, 'TIMEOUT') ?? getStringFromEnv('OTEL_EXPORTER_OTLP_TIMEOUT');
  const path = protocol === 'grpc' ? '' : `/v1/${signal}`;
  // What is left out the exporter reads from its own variables, as headers, certificates and compression.
  return create({
    httpAgentOptions: outboundAgent,
    ...(endpoint === undefined || ownEndpoint ? {} : { url: `${endpoint.replace(/\/+$/, '')}${path}` }),
    ...(ownTimeout === undefined ? { timeoutMillis: EXPORT_TIMEOUT_MS } : {}),
  });
}

function batched(exporter: SpanExporter): SpanProcessor {
  return new BatchSpanProcessor({
    exporter,
    maxQueueSize: positive('OTEL_BSP_MAX_QUEUE_SIZE') ?? 2_048,
    maxExportBatchSize: positive('OTEL_BSP_MAX_EXPORT_BATCH_SIZE') ?? 512,
    scheduledDelayMillis: positive('OTEL_BSP_SCHEDULE_DELAY') ?? 5_000,
    exportTimeoutMillis: positive('OTEL_BSP_EXPORT_TIMEOUT') ?? EXPORT_TIMEOUT_MS,
  });
}

function periodic(exporter: PushMetricExporter, producer: MetricProducer): IMetricReader {
  const exportIntervalMillis = positive('OTEL_METRIC_EXPORT_INTERVAL') ?? 60_000;
  const exportTimeoutMillis = positive('OTEL_METRIC_EXPORT_TIMEOUT') ?? 30_000;
  return new PeriodicExportingMetricReader({
    exporter,
    metricProducers: [producer],
    exportIntervalMillis,
    exportTimeoutMillis: Math.min(exportTimeoutMillis, exportIntervalMillis),
  });
}

function exporterNames(signal: Signal): string[] | undefined {
  const names = getStringListFromEnv(`OTEL_${signal.toUpperCase()}_EXPORTER`);
  return names === undefined || names.length === 0 ? undefined : [...new Set(names)];
}

function variable(signal: Signal, name: 'ENDPOINT' | 'PROTOCOL' | 'TIMEOUT'): string | undefined {
  return getStringFromEnv(`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_${name}`);
}

function positive(name: string): number | undefined {
  const value = getNumberFromEnv(name);
  if (value === undefined || value > 0) return value;
  throw new Error(`${name} must be above 0, not ${value}`);
}
