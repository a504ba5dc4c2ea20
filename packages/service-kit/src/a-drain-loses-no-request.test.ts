import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { useTestServers, type TestServers } from '@novacron/testkit/servers';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Child, get } from '../test/child.js';

let servers: TestServers;
let child: Child;
const sockets: Socket[] = [];

beforeAll(async () => {
  servers = await useTestServers({ nats: true });
}, 60_000);
afterAll(() => servers.stop());
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  child.kill('SIGKILL');
  await child.ended;
});

const env = (): Record<string, string> => ({ ...servers.env('gateway'), NOVACRON_LOG_LEVEL: 'info' });
const httpPort = () => Number(env()['NOVACRON_HTTP_PORT']);

async function start(): Promise<void> {
  child = Child.start('http', env());
  const ready = `http://127.0.0.1:${env()['NOVACRON_OPS_PORT']}/ready`;
  await child.until(async () => (await get(ready)).status === 200);
}

async function open(): Promise<Socket> {
  const socket = connect(httpPort(), '127.0.0.1');
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

/** The answer to one request on a connection that was open before. */
async function request(socket: Socket, path: string): Promise<string> {
  socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
  let text = '';
  while (!/\r\n\r\n.*\}$/s.test(text)) {
    const [chunk] = (await Promise.race([once(socket, 'data'), once(socket, 'close')])) as [unknown];
    if (!Buffer.isBuffer(chunk)) throw new Error(`closed after ${JSON.stringify(text)}`);
    text += chunk.toString();
  }
  return text;
}

/** Resolves when the port no longer accepts connections. */
async function refused(): Promise<void> {
  await child.until(async () => {
    const socket = connect(httpPort(), '127.0.0.1');
    const outcome = await Promise.race([
      once(socket, 'connect').then(() => 'open'),
      once(socket, 'error').then(() => 'refused'),
    ]).catch(() => 'refused');
    socket.destroy();
    return outcome === 'refused';
  });
}

describe('a draining service', () => {
  it('answers on connections that were idle when it stopped listening, and closes each with its answer', async () => {
    await start();
    const idle = await Promise.all(Array.from({ length: 15 }, open));
    const before = await Promise.all(idle.map((socket) => request(socket, '/quick')));
    for (const answer of before) expect(answer).toMatch(/^HTTP\/1.1 200 .*connection: keep-alive/is);
    child.kill('SIGTERM');
    // A balancer takes connections from its pool one by one.
    const answers: Promise<string>[] = [];
    const taking = setInterval(() => {
      const next = idle.shift();
      if (next) answers.push(request(next, '/quick'));
    }, 200);
    await refused();
    const unused = idle.length;
    while (idle.length > 0) await sleep(20);
    clearInterval(taking);
    expect(unused).toBeGreaterThan(0);
    for (const answer of await Promise.all(answers)) expect(answer).toMatch(/^HTTP\/1.1 200 /);
    expect(await answers.at(-1)).toMatch(/connection: close/i);
    expect(await child.ended).toEqual({ code: 0, signal: null });
  });

  it('does not wait for unused connections or for one without any request', async () => {
    await start();
    const idle = await open();
    await request(idle, '/quick');
    await open();
    child.kill('SIGTERM');
    expect(await child.ended).toEqual({ code: 0, signal: null });
    expect(child.output).toContain('"clean":true');
  });

  it('abandons a request that never becomes complete', async () => {
    await start();
    const half = await open();
    half.write('GET /quick HTTP/1.1\r\nhost: local');
    child.kill('SIGTERM');
    expect(await child.ended).toEqual({ code: 0, signal: null });
    expect(child.output).toContain('"clean":true');
  });
});
