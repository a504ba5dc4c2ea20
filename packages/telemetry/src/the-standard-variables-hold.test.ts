import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string };
}

interface Traces {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly { readonly name: string }[] }[];
  }[];
}

/** What a child process reports of itself. */
interface Outcome {
  /** Of the headers that a request to another service would get. */
  readonly injected: Readonly<Record<string, string>>;
  readonly metrics: string;
}

/** Makes twenty root spans and one below a caller that does not record, and ends. */
const PROGRAM = `
  const [dist, endpoint] = process.argv.slice(1);
  const { startTelemetry } = await import(dist + '/start.js');
  const { injectTrace, runWithExtractedTrace, withSpan } = await import(dist + '/trace.js');
  const { counter } = await import(dist + '/metrics.js');
  const { SeriesHistogram } = await import(dist + '/series.js');
  const telemetry = await startTelemetry({ service: 'own-name', otlpEndpoint: endpoint || undefined });
  counter('novacron_things_total', 'Things').add(3);
  new SeriesHistogram('novacron_spread_seconds', 'A spread', [1]).series({}).record(0.5);
  for (let i = 0; i < 20; i++) withSpan('root', {}, () => undefined);
  const caller = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00' };
  runWithExtractedTrace((name) => caller[name], () => withSpan('below', {}, () => undefined));
  const injected = {};
  withSpan('asking', {}, () => injectTrace((name, value) => (injected[name] = value)));
  const metrics = await telemetry.metricsText();
  await telemetry.stop();
  process.stderr.write(JSON.stringify({ injected, metrics }));
`;

const received: Received[] = [];
let collector: Server;
let url: string;

beforeAll(async () => {
  collector = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      received.push({ path: request.url ?? '', headers: request.headers, body: Buffer.concat(parts) });
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((listening) => collector.listen(0, '127.0.0.1', listening));
  url = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
});
beforeEach(() => void (received.length = 0));
afterAll(() => {
  collector.closeAllConnections();
  collector.close();
});

async function run(env: Record<string, string>, endpoint = url): Promise<Outcome> {
  const program = ['--input-type=module', '-e', PROGRAM, join(import.meta.dirname, '../dist'), endpoint];
  const { stderr } = await promisify(execFile)(process.execPath, program, { env, maxBuffer: 16 * 1_048_576 });
  return JSON.parse(stderr) as Outcome;
}

function resourceSpans(): Traces['resourceSpans'] {
  return received
    .filter(({ path }) => path === '/v1/traces')
    .flatMap(({ body }) => (JSON.parse(body.toString()) as Traces).resourceSpans);
}

/** How many spans of each name the collector has. */
function spanCounts(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { scopeSpans } of resourceSpans())
    for (const { spans } of scopeSpans) for (const { name } of spans) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

const attributes = () =>
  Object.fromEntries(
    resourceSpans()
      .flatMap(({ resource }) => resource.attributes)
      .map(({ key, value }) => [key, value.stringValue]),
  );

const ALL = { root: 20, asking: 1 };

describe('the resource', () => {
  it('has the name of the service where no variable says otherwise', async () => {
    await run({ OTEL_TRACES_SAMPLER: 'parentbased_always_on' });
    expect(attributes()).toMatchObject({ 'service.name': 'own-name', 'telemetry.sdk.language': 'nodejs' });
  });

  it('has the name of OTEL_SERVICE_NAME and the attributes of OTEL_RESOURCE_ATTRIBUTES', async () => {
    await run({
      OTEL_TRACES_SAMPLER: 'parentbased_always_on',
      OTEL_SERVICE_NAME: 'another-name',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=staging,service.namespace=fleet',
    });
    expect(attributes()).toMatchObject({
      'service.name': 'another-name',
      'deployment.environment.name': 'staging',
      'service.namespace': 'fleet',
    });
  });
});

describe('OTEL_TRACES_SAMPLER', () => {
  it.each([
    ['parentbased_always_on', undefined, ALL],
    ['parentbased_always_off', undefined, {}],
    ['always_on', undefined, { ...ALL, below: 1 }],
    ['always_off', undefined, {}],
    ['parentbased_traceidratio', '1', ALL],
    ['parentbased_traceidratio', '0', {}],
    ['traceidratio', '1', { ...ALL, below: 1 }],
  ])('%s with the argument %s records %j', async (sampler, argument, expected) => {
    await run({
      OTEL_TRACES_SAMPLER: sampler,
      ...(argument === undefined ? {} : { OTEL_TRACES_SAMPLER_ARG: argument }),
    });
    expect(spanCounts()).toEqual(expected);
  });

  it.each([
    [{ OTEL_TRACES_SAMPLER: 'sometimes' }, 'OTEL_TRACES_SAMPLER must be one of'],
    [
      { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '7' },
      'OTEL_TRACES_SAMPLER_ARG must be a number',
    ],
  ])('stops the start for %j', async (env, message) => {
    await expect(run(env)).rejects.toThrow(message);
  });
});

describe('OTEL_SDK_DISABLED', () => {
  it('turns spans, propagation and export off, and leaves /metrics', async () => {
    const { injected, metrics } = await run({
      OTEL_SDK_DISABLED: 'true',
      OTEL_TRACES_SAMPLER: 'always_on',
      OTEL_METRICS_EXPORTER: 'otlp',
    });
    expect(received).toEqual([]);
    expect(injected).toEqual({});
    expect(metrics).toContain('novacron_things_total 3\n');
  });
});

describe('OTLP export', () => {
  const on = { OTEL_TRACES_SAMPLER: 'parentbased_always_on' };

  it('is off without an endpoint, while trace ids are still handed on', async () => {
    const { injected } = await run(on, '');
    expect(received).toEqual([]);
    expect(injected['traceparent']).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  });

  it('goes to OTEL_EXPORTER_OTLP_TRACES_ENDPOINT with the headers of OTEL_EXPORTER_OTLP_HEADERS', async () => {
    await run(
      {
        ...on,
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${url}/other/path`,
        OTEL_EXPORTER_OTLP_HEADERS: 'x-scope=fleet',
      },
      '',
    );
    expect(received).toMatchObject([{ path: '/other/path', headers: { 'x-scope': 'fleet' } }]);
  });

  it('speaks the protocol of OTEL_EXPORTER_OTLP_PROTOCOL', async () => {
    await run({ ...on, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' });
    expect(received.map(({ path, headers }) => [path, headers['content-type']])).toEqual([
      ['/v1/traces', 'application/x-protobuf'],
    ]);
    expect(received[0]?.body.includes('own-name')).toBe(true);
  });

  it('is off with OTEL_TRACES_EXPORTER=none', async () => {
    await run({ ...on, OTEL_TRACES_EXPORTER: 'none' });
    expect(received).toEqual([]);
  });

  it('sends the metrics of /metrics too with OTEL_METRICS_EXPORTER=otlp', async () => {
    await run({ OTEL_METRICS_EXPORTER: 'otlp' });
    const bodies = received.filter(({ path }) => path === '/v1/metrics').map(({ body }) => body.toString());
    expect(bodies.join()).toContain('novacron_things_total');
    expect(bodies.join()).toContain('novacron_spread_seconds');
  });
});

describe('OTEL_PROPAGATORS', () => {
  it('names the headers of a trace', async () => {
    const { injected } = await run({ OTEL_PROPAGATORS: 'b3' });
    expect(Object.keys(injected)).toEqual(['b3']);
  });
});
