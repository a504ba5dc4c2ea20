import { afterEach, describe, expect, it } from '@jest/globals';
import { metricsText } from '@novacron/telemetry/metrics';
import { until } from '@novacron/testkit/wait';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { Connections, type ConnectionLimits } from './connections.js';

const KIB = 1_024;
const LIMITS: ConnectionLimits = {
  headBytes: 64 * KIB,
  connections: 500,
  perAddress: 450,
  unreadBytes: 8 * KIB * KIB,
  unreadPerAddress: 4 * KIB * KIB,
};

let server: Server;
let connections: Connections;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server.close();
  await once(server, 'close');
});

/** Starts a server that answers each request at once, with its `Connections`. */
async function serve(limits: ConnectionLimits, isShared?: (address: string) => boolean): Promise<void> {
  const options = { maxHeaderSize: limits.headBytes, headersTimeout: 60_000, requestTimeout: 60_000 };
  server = createServer(options, (_request, answer) => void answer.end('ok'));
  connections = new Connections(server, limits, isShared);
  server.listen(0);
  await once(server, 'listening');
}

/** A connection from 127.0.0.`last`; `destroyed` says whether the server closed it. */
async function open(last = 1): Promise<Socket> {
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, host: '127.0.0.1', localAddress: `127.0.0.${last}` });
  sockets.push(socket);
  socket.on('error', () => undefined);
  await Promise.race([once(socket, 'connect'), once(socket, 'close')]);
  socket.resume();
  return socket;
}

const head = (bytes: number): string => `GET / HTTP/1.1\r\nhost: a\r\nx: ${'x'.repeat(bytes)}`;
const refused = async (limit: string): Promise<number> => {
  const line = new RegExp(`^novacron_http_refused_connections_total\\{limit="${limit}"\\} (\\d+)`, 'm');
  return Number(line.exec(await metricsText())?.[1]);
};
const closed = (all: readonly Socket[]): number => all.filter((socket) => socket.destroyed).length;

describe('400 connections with an unfinished head', () => {
  it('hold at most the bytes of one address, and lose the connections with the most bytes', async () => {
    await serve(LIMITS);
    const small = await open();
    small.write(head(1_000));
    const before = await refused('unread');
    const large = await Promise.all(Array.from({ length: 400 }, () => open()));
    for (const socket of large) socket.write(head(60 * KIB));
    // 400 × 60 KiB are 23 MiB.
    await until(() => closed(large) >= 400 - LIMITS.unreadPerAddress / (60 * KIB));
    await until(() => connections.unread > 0 && connections.unread <= LIMITS.unreadPerAddress);
    expect(closed([small])).toBe(0);
    expect((await refused('unread')) - before).toBe(closed(large));
  });

  it('hold at most the bytes of the process, from any number of addresses', async () => {
    await serve(LIMITS);
    const all = await Promise.all(Array.from({ length: 400 }, (_, i) => open(1 + (i % 40))));
    for (const socket of all) socket.write(head(60 * KIB));
    await until(() => closed(all) >= 400 - LIMITS.unreadBytes / (60 * KIB));
    await until(() => connections.unread > 0 && connections.unread <= LIMITS.unreadBytes);
  });

  it('do not affect a client that sends whole requests', async () => {
    await serve(LIMITS);
    for (const socket of await Promise.all(Array.from({ length: 400 }, () => open())))
      socket.write(head(60 * KIB));
    const client = await open(2);
    for (let i = 0; i < 100; i++) {
      client.write(`${head(10 * KIB)}\r\n\r\n`);
      await once(client, 'data');
    }
    expect(closed([client])).toBe(0);
  });
});

describe('a connection', () => {
  it('is refused beyond the limit of its address, while other addresses are served', async () => {
    await serve({ ...LIMITS, perAddress: 10 });
    const before = await refused('address');
    const all = await Promise.all(Array.from({ length: 15 }, () => open()));
    await until(() => closed(all) === 5);
    expect((await refused('address')) - before).toBe(5);
    const other = await open(2);
    other.write(`${head(0)}\r\n\r\n`);
    expect(String((await once(other, 'data'))[0])).toMatch(/^HTTP\/1.1 200/);
    // A closed connection makes room for another.
    all.find((socket) => !socket.destroyed)?.destroy();
    await until(() => connections.open === 10);
    const next = await open();
    next.write(`${head(0)}\r\n\r\n`);
    expect(String((await once(next, 'data'))[0])).toMatch(/^HTTP\/1.1 200/);
  });

  it('is not counted by its address when many clients share the address', async () => {
    await serve({ ...LIMITS, perAddress: 10 }, (address) => address.endsWith('127.0.0.1'));
    const all = await Promise.all(Array.from({ length: 50 }, () => open()));
    await until(() => connections.open === 50);
    expect(closed(all)).toBe(0);
  });

  it('is refused beyond the limit of the process', async () => {
    await serve({ ...LIMITS, connections: 20 });
    const before = await refused('process');
    const all = await Promise.all(Array.from({ length: 30 }, (_, i) => open(i + 1)));
    await until(() => closed(all) === 10);
    expect((await refused('process')) - before).toBe(10);
  });
});
