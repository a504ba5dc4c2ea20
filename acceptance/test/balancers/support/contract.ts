import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { request as requestHttps } from 'node:https';
import { connect as connectTls } from 'node:tls';
import { privateDirectory } from '@novacron/testkit/test-home';
import { Balancer, type BalancerKind, render, validate } from './balancer.js';
import { breaks } from './breaks.js';
import { type Certificate, makeCertificate } from './certificate.js';
import { Client, json } from './client.js';
import { compression } from './compression.js';
import { limits } from './limits.js';
import { Upstream } from './upstream.js';

const TOKEN = { authorization: 'Bearer nvc_this-is-nobodys-token-but-a-token' };
const GZIP = { ...TOKEN, 'accept-encoding': 'gzip' };

/** The contract suite of every balancer of infra/. */
export function frontDoor(kind: BalancerKind): void {
  let certificate: Certificate;
  let upstream: Upstream;
  let balancer: Balancer;
  let client: Client;

  beforeAll(async () => {
    certificate = makeCertificate(privateDirectory());
    upstream = await Upstream.listen();
    balancer = await Balancer.start(kind, { gateways: [upstream.address], certificate });
    client = new Client(balancer.httpsPort, certificate.ca);
  });
  afterAll(async () => {
    client?.close();
    await balancer?.stop();
    await upstream?.close();
  });

  const echo = async (path: string, headers: Record<string, string> = {}) =>
    json(await client.ask(path, { headers: { ...TOKEN, ...headers } })) as {
      url: string;
      headers: Record<string, string>;
    };

  describe('its configuration', () => {
    const LB_GATEWAYS = 'gateway-1.example.test:8080*3,10.0.1.11:8080*3,10.0.1.12:8080*2';

    it('is valid without a certificate, and with proxies in front', () => {
      const directory = privateDirectory();
      render(kind, directory, {
        LB_GATEWAYS: LB_GATEWAYS.replace('gateway-1.example.test', 'localhost'),
        LB_HTTP_PORT: '18080',
        LB_TRUSTED_PROXIES: '10.0.0.0/8,192.0.2.7',
      });
      validate(kind, directory);
    });

    it.each([
      ['LB_GATEWAYS', {}],
      ['LB_GATEWAYS', { LB_GATEWAYS: 'gateway-1' }],
      ['LB_GATEWAYS', { LB_GATEWAYS: 'gateway-1:8080; evil' }],
      ['99x', { LB_GATEWAYS, LB_HTTP_PORT: '99x' }],
      ['LB_TLS_CERT', { LB_GATEWAYS, LB_TLS_CERT: 'missing.pem', LB_TLS_KEY: 'missing.pem' }],
      ['LB_TLS_KEY', { LB_GATEWAYS, LB_TLS_CERT: 'infra' }],
      ['LB_TRUSTED_PROXIES', { LB_GATEWAYS, LB_TRUSTED_PROXIES: 'all' }],
      ['LB_TOKEN_RATE', { LB_GATEWAYS, LB_TOKEN_RATE: '0' }],
    ])('names %s when it is wrong, and writes nothing', (name, variables) => {
      const directory = privateDirectory();
      expect(() => render(kind, directory, variables as Record<string, string>)).toThrow(name);
      expect(() => validate(kind, directory)).toThrow();
    });
  });

  describe('TLS', () => {
    it('redirects plain HTTP and keeps path, query and method', async () => {
      const plain = new Client(balancer.httpPort);
      const answer = await plain.ask('/api/v1/vms?limit=5', {
        method: 'POST',
        headers: { host: 'localhost' },
      });
      expect([answer.status, answer.headers.location]).toEqual([
        308,
        `https://localhost:${balancer.httpsPort}/api/v1/vms?limit=5`,
      ]);
      plain.close();
    });

    it('negotiates HTTP/2, and HTTP/1.1 with older clients', async () => {
      const protocols: (string | false | null)[] = [];
      for (const offered of [['h2', 'http/1.1'], ['http/1.1']]) {
        const socket = connectTls({
          host: '127.0.0.1',
          port: balancer.httpsPort,
          ca: certificate.ca,
          ALPNProtocols: offered,
        });
        await once(socket, 'secureConnect');
        protocols.push(socket.alpnProtocol);
        socket.destroy();
      }
      expect(protocols).toEqual(['h2', 'http/1.1']);
    });

    it('answers over HTTP/2', async () => {
      const session = connectHttp2(`https://127.0.0.1:${balancer.httpsPort}`, { ca: certificate.ca });
      const stream = session.request({ ':path': '/api/v1/vms', ...TOKEN });
      const [headers] = await once(stream, 'response');
      let text = '';
      for await (const chunk of stream) text += String(chunk);
      session.close();
      expect([headers[':status'], JSON.parse(text).url]).toEqual([200, 'http://upstream/api/v1/vms']);
    });

    it('refuses TLS older than 1.2', async () => {
      const socket = connectTls({
        host: '127.0.0.1',
        port: balancer.httpsPort,
        ca: certificate.ca,
        minVersion: 'TLSv1',
        maxVersion: 'TLSv1.1',
        ciphers: 'DEFAULT@SECLEVEL=0',
      });
      await expect(once(socket, 'secureConnect')).rejects.toThrow();
    });
  });

  describe('compression', () => compression(kind, () => client));

  describe('a gateway behind the balancer', () => {
    it('receives the client’s address, and not the addresses that the client claims', async () => {
      const claims = {
        'x-forwarded-for': '203.0.113.9, 10.0.0.1',
        'x-real-ip': '203.0.113.9',
        forwarded: 'for=203.0.113.9',
        'x-forwarded-proto': 'http',
      };
      const { headers } = await echo('/api/v1/vms', claims);
      expect(headers).toMatchObject({ 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'https' });
      expect(JSON.stringify(headers)).not.toContain('203.0.113.9');
    });

    it('receives the last address that a trusted proxy in front reports', async () => {
      const behind = await Balancer.start(kind, {
        gateways: [upstream.address],
        variables: { LB_TRUSTED_PROXIES: '127.0.0.1' },
      });
      const plain = new Client(behind.httpPort);
      const answer = await plain.ask('/', { headers: { 'x-forwarded-for': '203.0.113.9, 198.51.100.4' } });
      expect(json(answer).headers['x-forwarded-for']).toBe('198.51.100.4');
      plain.close();
      await behind.stop();
    });

    it('receives a request id: the client’s own when it is a valid header, else a new one', async () => {
      expect((await echo('/', { 'x-request-id': 'order-66' })).headers['x-request-id']).toBe('order-66');
      const made = (await echo('/', { 'x-request-id': 'a b"c' })).headers['x-request-id'];
      expect(made).toMatch(/^[0-9a-f-]{32,36}$/);
      expect(balancer.log()).toContain(made as string);
    });

    it('receives kept connections, and upgrades only at /ws/', async () => {
      const { headers } = await echo('/api/v1/vms', { upgrade: 'websocket' });
      expect([headers['upgrade'], headers['connection']]).not.toContain('websocket');
    });
  });

  describe('a long connection', () => {
    it('passes as a WebSocket in both directions', async () => {
      const asked = requestHttps({
        host: '127.0.0.1',
        port: balancer.httpsPort,
        path: '/ws/v1/events',
        ca: certificate.ca,
        headers: {
          ...TOKEN,
          connection: 'Upgrade',
          upgrade: 'websocket',
          'sec-websocket-version': '13',
          'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
        },
      });
      asked.end();
      const [answer, socket] = await once(asked, 'upgrade');
      expect(answer.headers['sec-websocket-accept']).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
      for (const text of ['one', 'two']) {
        socket.write(text);
        expect(String((await once(socket, 'data'))[0])).toBe(text);
      }
      socket.destroy();
    });

    it('passes as server-sent events, each event at once', async () => {
      const stream = await client.open('/api/v1/events/stream', {
        headers: { ...GZIP, accept: 'text/event-stream' },
      });
      expect(stream.headers['content-type']).toMatch('text/event-stream');
      for (const text of ['one', 'two', 'three']) {
        upstream.push(text);
        expect(String((await once(stream, 'data'))[0])).toContain(`data: ${text}`);
      }
      stream.destroy();
    });
  });

  describe('a gateway that dies', () => breaks(kind, () => upstream));
  describe('limits', () => limits(kind, () => upstream));
}
