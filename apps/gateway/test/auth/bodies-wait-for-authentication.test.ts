import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { newId, type TenantId } from '@novacron/contracts/ids';
import { until } from '@novacron/testkit/wait';
import { BodyBudget } from '../../src/http/body-budget.js';
import { TestGateway } from '../support/gateway.js';

const MIB = 1_048_576;
const INGEST = '/api/v1/metrics/ingest';
const bodies = new BodyBudget(64 * MIB);

let gateway: TestGateway;
const sockets: Socket[] = [];
beforeAll(async () => {
  gateway = await TestGateway.start({ bodies });
});
afterAll(() => gateway?.stop());
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await until(() => bodies.reserved === 0);
});

/** A push whose body never ends. @returns what was answered so far */
async function unfinished(token: string, length: string, sent: string | Buffer): Promise<() => string> {
  const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
  sockets.push(socket);
  await once(socket, 'connect');
  let answer = '';
  socket.on('data', (data) => (answer += String(data))).on('error', () => undefined);
  socket.write(
    `POST ${INGEST} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n${length}\r\n\r\n`,
  );
  socket.write(sent);
  return () => answer;
}
const CHUNKED = 'Transfer-Encoding: chunked';
const chunk = (bytes: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
/** A small push, which is answered. */
const push = (token: string) =>
  gateway.ask('POST', INGEST, {
    token,
    body: { series: [{ vmId: newId(), metric: 'x', points: [[Date.now(), 1]] }] },
  });
const declared = (bytes: number): string => `Content-Length: ${bytes}`;

describe('an unfinished body', () => {
  it('is refused without a good token before it is read, and its connection is closed', async () => {
    const answer = await unfinished('nvc_wrong', declared(8 * MIB), Buffer.alloc(MIB, ' '));
    await until(() => sockets[0]?.destroyed === true || /\r\n\r\n\{/.test(answer()));
    expect(answer()).toMatch(/^HTTP\/1.1 401 .*connection: close/is);
    expect(bodies.reserved).toBe(0);
  });

  it('reserves its declared length, or what has arrived of it, expanded, without one', async () => {
    const token = gateway.token();
    await unfinished(token, declared(3 * MIB), '{');
    await until(() => bodies.reserved === 3 * MIB);
    await unfinished(token, CHUNKED, chunk(Buffer.alloc(100_000, ' ')));
    await until(() => bodies.reserved === 3 * MIB + 100_000);
    const zipped = gzipSync(Buffer.alloc(2 * MIB, ' '));
    await unfinished(token, `${declared(zipped.length + 100)}\r\nContent-Encoding: gzip`, zipped);
    await until(() => bodies.reserved === 5 * MIB + 100_000);
  });

  it('of 40 small ones without a declared length leaves room for more', async () => {
    const token = gateway.token();
    for (let i = 0; i < 40; i++) await unfinished(token, CHUNKED, chunk(Buffer.alloc(1_000, ' ')));
    await until(() => bodies.reserved === 40_000);
    expect((await push(token)).status).toBe(202);
  });

  it('without a declared length is refused half-way when its tenant holds too much', async () => {
    const token = gateway.token();
    const answers: (() => string)[] = [];
    for (let i = 0; i < 8; i++) {
      answers.push(await unfinished(token, CHUNKED, chunk(Buffer.alloc(6 * MIB, ' '))));
      await until(() => answers[i]?.() !== '' || bodies.reserved === (i + 1) * 6 * MIB);
    }
    expect(answers.map((answer) => answer().slice(0, 12))).toEqual([
      ...Array(5).fill(''),
      ...Array(3).fill('HTTP/1.1 503'),
    ]);
    await until(() => bodies.reserved === 5 * 6 * MIB);
  });

  it('leaves room for the next tenant, when many tenants have taken their share', async () => {
    for (let i = 0; i < 6; i++) {
      const token = gateway.token('owner', newId<TenantId>(), `tenant-${i}`);
      for (let j = 0; j < 12; j++) await unfinished(token, declared(3 * MIB), '{');
    }
    await until(() => bodies.reserved > 50 * MIB);
    const next = gateway.token('owner', newId<TenantId>(), 'next');
    expect((await push(next)).status).toBe(202);
  });

  it('reserves nothing when its client disconnected during the lookup of its token', async () => {
    let [isAsked, release] = [false, (): void => undefined];
    const held = new Promise<void>((resolve) => (release = resolve));
    gateway.beforeLookup = () => {
      isAsked = true;
      return held;
    };
    const connection = once(gateway.fastify.server, 'connection') as Promise<[Socket]>;
    await unfinished(gateway.token('owner', newId<TenantId>(), 'leaves'), declared(3 * MIB), '{');
    const [accepted] = await connection;
    await until(() => isAsked);
    sockets[0]?.destroy();
    await until(() => accepted.closed);
    gateway.beforeLookup = async () => undefined;
    release();
    expect((await push(gateway.token('owner', newId<TenantId>(), 'stays'))).status).toBe(202);
    await until(() => bodies.reserved === 0);
  });

  it('that is too large and broken after that leaves the gateway as it was', async () => {
    const zipped = Buffer.concat([
      gzipSync(Buffer.alloc(9 * MIB, ' ')).subarray(0, -200),
      Buffer.alloc(5_000, 'x'),
    ]);
    const answer = await unfinished(
      gateway.token(),
      `${declared(zipped.length + 100)}\r\nContent-Encoding: gzip`,
      zipped,
    );
    await until(() => answer() !== '');
    expect(answer()).toMatch(/^HTTP\/1.1 4/);
    expect((await push(gateway.token())).status).toBe(202);
  });

  it('of 60 leaves room: one tenant has half of it, and another tenant is served', async () => {
    const token = gateway.token();
    const answers: (() => string)[] = [];
    for (let i = 0; i < 60; i++)
      answers.push(await unfinished(token, declared(6 * MIB), Buffer.alloc(MIB, ' ')));
    await until(() => answers.filter((answer) => answer().startsWith('HTTP/1.1 503')).length === 55);
    expect(bodies.reserved).toBe(5 * 6 * MIB);
    expect(answers.map((answer) => answer()).find((text) => text !== '')).toMatch(
      /retry-after: 1.*overloaded/is,
    );
    const neighbour = gateway.token('owner', newId<TenantId>(), 'neighbour');
    expect((await push(neighbour)).status).toBe(202);
  });

  it('frees its room when its client disconnects', async () => {
    await unfinished(gateway.token(), declared(8 * MIB), '{');
    await until(() => bodies.reserved === 8 * MIB);
    sockets[0]?.destroy();
    await until(() => bodies.reserved === 0);
  });
});
