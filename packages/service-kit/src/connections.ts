import { Periodic } from '@novacron/async/periodic';
import { counter, observableGauge } from '@novacron/telemetry/metrics';
import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';

/** What connections may use of a process before their request is complete. */
export interface ConnectionLimits {
  /** Bytes of one request's head: request line and headers. */
  readonly headBytes: number;
  /** Connections of the process. */
  readonly connections: number;
  /** Connections of one address. */
  readonly perAddress: number;
  /** Bytes of incomplete heads of all connections together. */
  readonly unreadBytes: number;
  /** Bytes of incomplete heads of one address. */
  readonly unreadPerAddress: number;
}

/** Decision 10 gives the reasons for these numbers. */
export const CONNECTION_LIMITS: ConnectionLimits = {
  headBytes: 65_536,
  connections: 10_000,
  perAddress: 2_000,
  unreadBytes: 32 * 1_048_576,
  unreadPerAddress: 8 * 1_048_576,
};

type Limit = 'process' | 'address' | 'unread';

const refused = counter(
  'novacron_http_refused_connections_total',
  'Connections that were closed at a limit',
  (['process', 'address', 'unread'] satisfies Limit[]).map((limit) => ({ limit })),
);

/** How often bytes are counted. Between two counts a connection adds one head at most. */
const COUNT_EVERY_MS = 100;

interface Connection {
  readonly socket: Socket;
  readonly address: string;
  request: IncomingMessage | null;
  /** Bytes that had arrived when the last request was complete. */
  readUpTo: number;
}

/**
 * Bounds connections, and the bytes of their incomplete heads. Node buffers those bytes without a limit for all
 * connections together. Bodies are not counted here: a body is read only after its request is admitted.
 */
export class Connections {
  readonly #open = new Map<Socket, Connection>();
  readonly #byAddress = new Map<string, number>();
  #unread = 0;

  /** @param isShared whether many clients use this address, as with a trusted proxy: it has no limit of its own */
  constructor(
    server: Server,
    private readonly limits: ConnectionLimits = CONNECTION_LIMITS,
    private readonly isShared: (address: string) => boolean = () => false,
  ) {
    server.maxConnections = limits.connections;
    server.on('drop', () => refused.add(1, { limit: 'process' }));
    server.on('connection', (socket) => this.#accept(socket));
    server.on('request', (request) => {
      const connection = this.#open.get(request.socket);
      if (connection !== undefined) connection.request = request;
    });
    const count = new Periodic(() => this.#count(), { everyMs: COUNT_EVERY_MS });
    count.start();
    server.once('close', () => void count.stop());
    observableGauge('novacron_http_unread_bytes', 'Bytes of incomplete request heads', (observe) =>
      observe(this.#unread),
    );
  }

  /** Open connections. */
  get open(): number {
    return this.#open.size;
  }

  /** Bytes of incomplete heads, as of the last count. */
  get unread(): number {
    return this.#unread;
  }

  #accept(socket: Socket): void {
    const address = socket.remoteAddress ?? '';
    const others = this.#byAddress.get(address) ?? 0;
    if (others >= this.limits.perAddress && !this.isShared(address)) {
      refused.add(1, { limit: 'address' });
      socket.destroy();
      return;
    }
    this.#byAddress.set(address, others + 1);
    this.#open.set(socket, { socket, address, request: null, readUpTo: 0 });
    socket.once('close', () => {
      this.#open.delete(socket);
      const left = (this.#byAddress.get(address) ?? 1) - 1;
      if (left === 0) this.#byAddress.delete(address);
      else this.#byAddress.set(address, left);
    });
  }

  /** Counts the bytes of incomplete heads, and closes the connections with the most until the limits hold. */
  #count(): void {
    const waiting = [...this.#open.values()]
      .map((connection) => ({ ...connection, bytes: headBytes(connection) }))
      .filter(({ bytes }) => bytes > 0)
      .sort((a, b) => b.bytes - a.bytes);
    const byAddress = new Map<string, number>();
    let all = 0;
    for (const { address, bytes } of waiting) {
      byAddress.set(address, (byAddress.get(address) ?? 0) + bytes);
      all += bytes;
    }
    for (const { socket, address, bytes } of waiting) {
      const ofAddress = byAddress.get(address) ?? 0;
      const tooMuch = ofAddress > this.limits.unreadPerAddress && !this.isShared(address);
      if (all <= this.limits.unreadBytes && !tooMuch) continue;
      refused.add(1, { limit: 'unread' });
      socket.destroy();
      byAddress.set(address, ofAddress - bytes);
      all -= bytes;
    }
    this.#unread = all;
  }
}

/** Bytes that have arrived since the last request of the connection was complete. */
function headBytes(connection: Connection): number {
  const { socket, request } = connection;
  if (request !== null) {
    if (!request.complete) return 0;
    connection.request = null;
    connection.readUpTo = socket.bytesRead;
    return 0;
  }
  return socket.bytesRead - connection.readUpTo;
}
