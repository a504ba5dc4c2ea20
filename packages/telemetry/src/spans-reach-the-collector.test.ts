import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dbQuery } from './diagnostics.js';
import { startTelemetry, type Telemetry } from './start.js';
import { withSpan } from './trace.js';

interface Exported {
  readonly resourceSpans: readonly {
    readonly scopeSpans: readonly {
      readonly spans: readonly { name: string; spanId: string; parentSpanId?: string; traceId: string }[];
    }[];
  }[];
}

const received: { path: string; body: string }[] = [];
let answering = true;
let collector: Server;
let telemetry: Telemetry;

beforeAll(async () => {
  collector = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      received.push({ path: request.url ?? '', body: Buffer.concat(parts).toString() });
      if (answering) response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  const { port } = collector.address() as AddressInfo;
  telemetry = await startTelemetry({
    service: 'svc',
    traceRatio: 1,
    otlpEndpoint: `http://127.0.0.1:${port}/`,
  });
});
afterAll(() => {
  collector.closeAllConnections();
  collector.close();
});

describe('with an OTLP endpoint', () => {
  it('flush sends the recorded spans with the service’s name', async () => {
    withSpan('a piece of work', { 'vm.state': 'running' }, () => undefined);
    await telemetry.flush();
    expect(received).toHaveLength(1);
    expect(received[0]?.path).toBe('/v1/traces');
    expect(received[0]?.body).toContain('a piece of work');
    expect(received[0]?.body).toContain('svc');
  });

  it('shows a query as a span below the work that made it, and one outside of any work not at all', async () => {
    received.length = 0;
    const query = { role: 'primary', queryType: 'insert', table: 'vms', durationMs: 12 } as const;
    dbQuery.publish({ ...query, table: 'nobody_asked' });
    withSpan('work with a database', {}, () => dbQuery.publish(query));
    await telemetry.flush();
    const body = JSON.parse(received[0]?.body ?? '{}') as Exported;
    const spans = body.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans));
    const work = spans.find(({ name }) => name === 'work with a database');
    expect(spans.filter(({ name }) => name !== work?.name)).toMatchObject([
      { name: 'insert vms', parentSpanId: work?.spanId, traceId: work?.traceId },
    ]);
  });

  it('a collector that hangs holds up neither flush nor stop for long', async () => {
    answering = false;
    withSpan('lost', {}, () => undefined);
    const startedAt = performance.now();
    await telemetry.stop();
    expect(performance.now() - startedAt).toBeLessThan(20_000);
  });
});
