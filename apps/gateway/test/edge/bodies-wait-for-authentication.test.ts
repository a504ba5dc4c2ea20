import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { newId, type TenantId } from '@novacron/contracts/ids';
import { until } from '@novacron/testkit/wait';
import { BodyBudget } from '../../src/edge/body-budget.js';
import { TestGateway } from '../support/gateway.js';

const MIB = 1_048_576;
const INGEST = '/api/v1/metrics/ingest';
const bodies = new BodyBudget({ total: 64 * MIB, perTenant: 32 * MIB });

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
const declared = (bytes: number): string => `Content-Length: ${bytes}`;

describe('an unfinished body', () => {
  it('is refused without a good token before it is read, and its connection is closed', async () => {
    const answer = await unfinished('nvc_wrong', declared(8 * MIB), Buffer.alloc(MIB, ' '));
    await until(() => sockets[0]?.destroyed === true || /\r\n\r\n\{/.test(answer()));
    expect(answer()).toMatch(/^HTTP\/1.1 401 .*connection: close/is);
    expect(bodies.reserved).toBe(0);
  });

  it('reserves its whole length, and what its route takes when it says none', async () => {
    const token = gateway.token();
    await unfinished(token, declared(3 * MIB), '{');
    await until(() => bodies.reserved === 3 * MIB);
    await unfinished(token, 'Transfer-Encoding: chunked', '1\r\n{\r\n');
    await until(() => bodies.reserved === 11 * MIB);
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
    const body = { series: [{ vmId: newId(), metric: 'x', points: [[Date.now(), 1]] }] };
    expect((await gateway.ask('POST', INGEST, { token: neighbour, body })).status).toBe(202);
  });

  it('gives its room back when its client leaves', async () => {
    await unfinished(gateway.token(), declared(8 * MIB), '{');
    await until(() => bodies.reserved === 8 * MIB);
    sockets[0]?.destroy();
    await until(() => bodies.reserved === 0);
  });
});
