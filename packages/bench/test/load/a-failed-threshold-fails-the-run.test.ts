import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { anyFreePort } from '@novacron/local-stack/servers/ports';
import { type Ended, runLoad } from './run-load.js';

const page = JSON.stringify({ items: [], nextCursor: null });

async function against(listener: RequestListener): Promise<Ended> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    return await runLoad(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 'token');
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const failed = ({ results }: Ended) =>
  results?.thresholds.filter(({ ok }) => !ok).map(({ metric }) => metric);

const cases = [
  {
    name: 'answers late',
    thresholds: ['http_req_duration'],
    says: /^$/m,
    run: () =>
      against((request, response) => {
        response.statusCode = request.method === 'POST' ? 201 : 200;
        setTimeout(() => response.end(page), 1_100);
      }),
  },
  {
    name: 'answers 503 now and then',
    thresholds: ['http_req_failed', 'errors'],
    says: /not as due, \d+ times: list: 503/,
    run: () => {
      let count = 0;
      return against((request, response) => {
        response.statusCode = request.method === 'POST' ? 201 : ++count % 5 === 0 ? 503 : 200;
        response.end(page);
      });
    },
  },
  {
    name: 'closes connections under requests',
    thresholds: ['http_req_failed', 'errors'],
    says: /not as due, \d+ times: list: the connection was closed/,
    run: () => {
      let count = 0;
      return against((request, response) => {
        response.statusCode = request.method === 'POST' ? 201 : 200;
        if (request.method === 'GET' && ++count % 5 === 0) request.socket.end();
        else response.end(page);
      });
    },
  },
  {
    name: 'is not there',
    thresholds: ['http_req_failed', 'errors'],
    says: /not as due, \d+ times: list: .*ECONNREFUSED/,
    run: async () => runLoad(`http://127.0.0.1:${await anyFreePort()}`, 'token'),
  },
];

describe('a run ends with 1 and names the threshold', () => {
  let ended: ReadonlyMap<string, Ended>;

  // All at the same time: each takes six seconds, of which it thinks most.
  beforeAll(async () => {
    ended = new Map(await Promise.all(cases.map(async ({ name, run }) => [name, await run()] as const)));
  }, 120_000);

  it.each(cases)('against a server that $name', ({ name, thresholds, says }) => {
    const one = ended.get(name) as Ended;
    expect(one.code).toBe(1);
    expect(one.stdout).toMatch(says);
    expect(one.stdout).toContain('FAILED');
    expect(failed(one)).toEqual(thresholds);
  });
});
