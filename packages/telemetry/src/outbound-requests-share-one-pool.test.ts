import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { outboundAgent } from './outbound.js';
import { startTelemetry } from './start.js';
import { withSpan } from './trace.js';

const open = new Set<Socket>();
const connections: string[] = [];
/** Answers are held back until there can be no more requests. */
let held: (() => void)[] | null = null;
let server: Server;
let port: number;

beforeAll(async () => {
  server = createServer((asked, response) => {
    asked.resume();
    asked.once('end', () => (held === null ? response.end('{}') : held.push(() => response.end('{}'))));
  });
  // The server announces its limit, and a client goes by the shorter of the two.
  server.keepAliveTimeout = 120_000;
  server.on('connection', (socket) => {
    open.add(socket);
    connections.push(socket.localAddress ?? '');
    socket.once('close', () => open.delete(socket));
  });
  await new Promise<void>((listening) => server.listen(0, '0.0.0.0', listening));
  ({ port } = server.address() as AddressInfo);
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

async function ask(host: string): Promise<number | undefined> {
  const asked = request({ host, port, agent: outboundAgent('http:') });
  asked.end();
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  answer.resume();
  await once(answer, 'end');
  return answer.statusCode;
}

it('the span exporter uses it: flush after flush goes over one connection', async () => {
  const telemetry = await startTelemetry({
    service: 'svc',
    traceRatio: 1,
    otlpEndpoint: `http://127.0.0.1:${port}`,
  });
  for (let i = 0; i < 5; i += 1) {
    withSpan('work', {}, () => undefined);
    await telemetry.flush();
  }
  expect(connections).toEqual(['127.0.0.1']);
  const { freeSockets } = outboundAgent('http:');
  // One, kept for 90 s.
  expect(Object.values(freeSockets).flatMap((sockets) => sockets?.map(({ timeout }) => timeout))).toEqual([
    90_000,
  ]);
  await telemetry.stop();
});

it('has 10 connections to a host and 100 in all, and every request gets its turn', async () => {
  held = [];
  const hosts = Array.from({ length: 12 }, (_, i) => `127.0.0.${i + 1}`);
  const answers = hosts.flatMap((host) => Array.from({ length: 15 }, () => ask(host)));
  // As many as can be under way at once; then all may go.
  while (held.length < 100) await sleep(20);
  const toHost = hosts.map((host) => [...open].filter(({ localAddress }) => localAddress === host).length);
  expect([open.size, Math.max(...toHost)]).toEqual([100, 10]);
  const waiting = held;
  held = null;
  for (const answer of waiting) answer();
  expect(await Promise.all(answers)).toEqual(Array(180).fill(200));
});

it('keeps http and https apart, each one once', () => {
  expect(outboundAgent('https:')).toBe(outboundAgent('https:'));
  expect(outboundAgent('https:')).not.toBe(outboundAgent('http:'));
});
