import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { request } from 'node:http';
import { brotliDecompressSync, gunzipSync, gzipSync, deflateSync } from 'node:zlib';
import { newId } from '@novacron/contracts/ids';
import { connectNats } from '@novacron/messaging/connect';
import { ensureStreams } from '@novacron/messaging/streams';
import { eventually } from '@novacron/testkit/wait';
import { codingFor } from '../../src/http/compression.js';
import { GUIDE_VM, TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let beating: NodeJS.Timeout;
beforeAll(async () => {
  gateway = await TestGateway.start();
  gateway.orchestrator.cacheable = true;
  beating = setInterval(() => gateway.orchestrator.beat(), 20);
  for (let i = 0; i < 20; i++)
    await gateway.ask('POST', '/api/v1/vms', { body: { ...GUIDE_VM, name: `web-${i}` } });
  const admin = await connectNats({ ...gateway.servers.natsLogin('admin'), name: 'test' });
  await ensureStreams(admin, ['METRICS']);
  await admin.close();
});
afterAll(async () => {
  clearInterval(beating);
  await gateway?.stop();
});

interface Raw {
  readonly status: number;
  readonly headers: Record<string, string | undefined>;
  readonly body: Buffer;
}

/** The bytes on the wire: `fetch` decodes its answers, and accepts every coding that it knows. */
function raw(
  path: string,
  headers: Record<string, string> = {},
  body?: Buffer,
  method = 'GET',
): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const asked = request(
      gateway.url + path,
      { method, headers: { authorization: `Bearer ${gateway.token()}`, ...headers } },
      (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers as Raw['headers'],
            body: Buffer.concat(parts),
          }),
        );
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });
}

const DECODE = { br: brotliDecompressSync, gzip: gunzipSync };
const LIST = '/api/v1/vms?sort=name';

describe.each(['br', 'gzip'] as const)(
  'an answer over 1,000 bytes, to a client that accepts %s',
  (coding) => {
    const accept = { 'accept-encoding': coding };

    it('is smaller, has the same content, an ETag of its own, and hits come from memory', async () => {
      const plain = await eventually(async () => {
        const [first, encoded] = [await raw(LIST), await raw(LIST, accept)];
        expect(DECODE[coding](encoded.body).equals(first.body)).toBe(true);
        const size = { 'content-encoding': coding, 'content-length': String(encoded.body.length) };
        expect(encoded.headers).toMatchObject({ ...size, 'novacron-served-from': 'l1' });
        expect(encoded.body.length).toBeLessThan(first.body.length / 3);
        expect(encoded.headers['etag']).toBe(first.headers['etag']?.replace(/"$/, `-${coding}"`));
        return first;
      });
      expect(plain.headers['content-encoding']).toBeUndefined();
      expect(plain.headers['vary']).toContain('Accept-Encoding');
    });

    it('is 304 for its own tag and for the plain one, each with the tag that the client has', async () => {
      await eventually(async () => {
        const plain = (await raw(LIST)).headers['etag'] as string;
        const own = (await raw(LIST, accept)).headers['etag'] as string;
        for (const tag of [plain, own])
          for (const consistency of ['causal', 'strong']) {
            const headers = { ...accept, 'if-none-match': tag, 'novacron-consistency': consistency };
            const same = await raw(LIST, headers);
            expect([same.status, same.headers['etag'], same.body.length]).toEqual([304, tag, 0]);
          }
      });
    });

    it.each(['/openapi.json', '/docs/static', `${LIST}&limit=99`])(
      'is compressed without a cache as well: %s',
      async (of) => {
        const page = (await raw('/docs')).body.toString();
        const path = of === '/docs/static' ? (/src="([^"]+)"/.exec(page)?.[1] as string) : of;
        const headers = { 'novacron-consistency': 'strong' };
        const plain = await raw(path, headers);
        const encoded = await raw(path, { ...headers, ...accept });
        expect(encoded.headers['content-encoding']).toBe(coding);
        expect(encoded.headers['vary']).toMatch(/accept-encoding/i);
        expect(DECODE[coding](encoded.body).equals(plain.body)).toBe(true);
      },
    );

    it('costs a 304 the second time, where it is a file of the documentation', async () => {
      const page = (await raw('/docs')).body.toString();
      const files = [...page.matchAll(/(?:src|href)="([^"]+swagger-ui[^"]+)"/g)].map(
        ([, path]) => path as string,
      );
      expect(files.length).toBeGreaterThanOrEqual(3);
      for (const path of files)
        for (const headers of [{}, accept]) {
          const { etag } = (await raw(path, headers)).headers;
          const same = await raw(path, { ...headers, 'if-none-match': etag as string });
          expect([path, same.status, same.body.length]).toEqual([path, 304, 0]);
        }
    });

    it('counts in the memory of the cache, once for any number of readers', async () => {
      await eventually(async () => {
        const path = `${LIST}&namePrefix=${coding}&limit=${Math.floor(Math.random() * 400) + 1}`;
        const plain = await raw(path);
        const before = gateway.cache.stats().l1.bytes;
        const encoded = await Promise.all(Array.from({ length: 20 }, () => raw(path, accept)));
        expect(gateway.cache.stats().l1.bytes - before).toBe(encoded[0]?.body.length);
        expect(plain.status).toBe(200);
      });
    });
  },
);

describe('an answer', () => {
  it('that is an image stays as it is', async () => {
    const page = (await raw('/docs')).body.toString();
    const icon = /href="([^"]+png)"/.exec(page)?.[1] as string;
    expect((await raw(icon, { 'accept-encoding': 'br' })).headers['content-encoding']).toBeUndefined();
  });

  it('under 1,000 bytes stays as it is', async () => {
    const { headers } = await raw('/api/v1/me', { 'accept-encoding': 'br, gzip' });
    expect(headers['content-encoding']).toBeUndefined();
  });

  it.each([
    ['br, gzip', 'br'],
    ['gzip, deflate, br, zstd', 'br'],
    ['gzip;q=1, br;q=0.5', 'gzip'],
    ['gzip', 'gzip'],
    ['x-gzip', 'gzip'],
    ['*', 'br'],
    ['*;q=0.1, br;q=0', 'gzip'],
    ['br;q=0, gzip;q=0', null],
    ['identity, br;q=0.5', null],
    ['identity', null],
    ['deflate', null],
    ['', null],
    [undefined, null],
  ])('comes in the coding that Accept-Encoding prefers: %s', (accept, coding) =>
    expect(codingFor(accept)).toBe(coding),
  );
});

describe('a compressed request', () => {
  const points = [{ vmId: newId(), metric: 'queue_depth', points: [[Date.now(), 1]] }];
  const body = Buffer.from(JSON.stringify({ series: points }));
  const send = (path: string, coding: string, bytes: Buffer) =>
    raw(path, { 'content-type': 'application/json', 'content-encoding': coding }, bytes, 'POST');
  const INGEST = '/api/v1/metrics/ingest';
  const codeOf = ({ body: text }: Raw) => JSON.parse(text.toString()).code;

  it.each(['gzip', 'GZIP', 'x-gzip'])('is accepted by metrics ingest: %s', async (coding) => {
    const answer = await send(INGEST, coding, gzipSync(body));
    expect([answer.status, JSON.parse(answer.body.toString())]).toEqual([202, { accepted: 1, rejected: [] }]);
  });

  it('with identity is not compressed', async () => {
    expect((await send(INGEST, 'identity', body)).status).toBe(202);
  });

  it('that expands beyond the limit of the route is 413', async () => {
    const bomb = gzipSync(Buffer.alloc(200_000_000, ' '));
    const answer = await send(INGEST, 'gzip', bomb);
    expect([answer.status, codeOf(answer)]).toEqual([413, 'body_too_large']);
  });

  it.each(['not gzip', gzipSync(body).subarray(0, 20)])(
    'that is not gzip, or not all of it, is 400',
    async (bytes) => {
      const answer = await send(INGEST, 'gzip', Buffer.from(bytes));
      expect([answer.status, codeOf(answer)]).toEqual([400, 'malformed_request']);
    },
  );

  it.each([
    ['br', INGEST, 'gzip'],
    ['gzip, gzip', INGEST, 'gzip'],
    ['gzip', '/api/v1/vms', 'identity'],
    ['zstd', '/api/v1/vms', 'identity'],
  ])('in another coding is 415 and says which is taken: %s at %s', async (coding, path, taken) => {
    const answer = await send(path, coding, coding === 'br' ? deflateSync(body) : gzipSync(body));
    expect([answer.status, codeOf(answer)]).toEqual([415, 'unsupported_media_type']);
    expect(answer.headers['accept-encoding']).toBe(taken);
  });
});
