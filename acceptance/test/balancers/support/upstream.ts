import { createHash } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

/**
 * A fake gateway behind a balancer. It reports the received request, answers with the wanted size, delay or failure,
 * pushes events, and echoes over a WebSocket.
 */
export class Upstream {
  readonly seen: Seen[] = [];
  /** It accepts requests and closes their connections without an answer. */
  breaks = false;
  /** The failed checks that its /ready reports. */
  missing: readonly string[] = [];
  readonly #streams: ServerResponse[] = [];

  private constructor(private readonly server: Server) {}

  static async listen(): Promise<Upstream> {
    const server = createServer((request, response) => {
      request.resume();
      request.once('end', () => {
        const { method = '', url = '', headers } = request;
        if (url === '/ready') return upstream.ready(response);
        upstream.seen.push({ method, url, headers });
        if (upstream.breaks) return request.socket.destroy();
        return upstream.answer(new URL(url, 'http://upstream'), headers, response);
      });
    });
    server.on('upgrade', (request, socket: Duplex) => {
      upstream.seen.push({ method: 'UPGRADE', url: request.url ?? '', headers: request.headers });
      upgrade(String(request.headers['sec-websocket-key']), socket);
    });
    const upstream = new Upstream(server);
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    return upstream;
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Sends an event to every open stream. */
  push(text: string): void {
    for (const stream of this.#streams) stream.write(`data: ${text}\n\n`);
  }

  close(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((closed) => this.server.close(() => closed()));
  }

  private ready(response: ServerResponse): void {
    const { missing } = this;
    response
      .writeHead(missing.length === 0 ? 200 : 503, { 'content-type': 'application/json' })
      .end(JSON.stringify({ ready: missing.length === 0, missing }));
  }

  private answer(url: URL, headers: IncomingHttpHeaders, response: ServerResponse): unknown {
    const size = Number(url.searchParams.get('size'));
    const late = Number(url.searchParams.get('lateMs'));
    if (url.pathname === '/api/v1/events/stream') {
      this.#streams.push(response);
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      return undefined;
    }
    const body = size > 0 ? JSON.stringify('x'.repeat(size - 2)) : JSON.stringify({ url: url.href, headers });
    const head = {
      'content-type': 'application/json; charset=utf-8',
      // Gateways send a length. Without one a balancer cannot know that a body is too small for compression.
      'content-length': body.length,
      etag: '"7"',
      vary: 'Authorization',
    };
    const send = () => response.writeHead(200, head).end(body);
    return late > 0 ? setTimeout(send, late) : send();
  }
}

/** Accepts the upgrade (RFC 6455 §4.2.2), then echoes bytes, because a balancer does not look into frames. */
function upgrade(key: string, socket: Duplex): void {
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  const head = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
  socket.write(`${[...head, `Sec-WebSocket-Accept: ${accept}`].join('\r\n')}\r\n\r\n`);
  socket.on('error', () => socket.destroy());
  socket.pipe(socket);
}
