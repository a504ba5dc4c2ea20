import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';

/** When nothing was asked for so long, the connections that are left are not in use. */
const QUIET_MS = 1_000;
/** In any case idle connections are closed after so long. */
const LONGEST_MS = 4_000;
const LOOK_EVERY_MS = 50;

/**
 * Ends a server whose clients keep connections open, without losing a request. A client, a balancer above all,
 * may send one on an idle connection at the very moment that we close it, and then cannot know whether it was
 * taken; what is no GET it must not send again. So idle connections stay: each is closed by the answer to its
 * next request, which says so, and only those that are not used any more are closed by us.
 */
export class LastRequests {
  /** Connections that have not asked anything yet; Node takes them for busy and would wait for them for ever. */
  readonly #silent = new Set<Socket>();
  #lastUse = 0;
  #accepted = 0;

  constructor(private readonly server: Server) {
    server.on('connection', (socket) => {
      this.#accepted += 1;
      this.#silent.add(socket);
      socket.once('close', () => this.#silent.delete(socket));
    });
    server.on('request', ({ socket }) => {
      this.#silent.delete(socket);
      this.#lastUse = performance.now();
    });
  }

  /** Takes no new connection, and resolves when all are closed: at once when there is none. */
  async end(): Promise<void> {
    if (!this.server.listening) return;
    const closeIdle = this.server.closeIdleConnections.bind(this.server);
    // Node's close() calls it.
    this.server.closeIdleConnections = () => undefined;
    await this.#nothingWaits();
    const closed = new Promise<void>((done) => this.server.close(() => done()));
    const begun = (this.#lastUse = performance.now());
    const look = setInterval(() => {
      const now = performance.now();
      const late = now - begun >= LONGEST_MS;
      if (now - this.#lastUse < QUIET_MS && !late) return;
      closeIdle();
      // A request that is half read gets longer.
      for (const socket of this.#silent) if (late || socket.bytesRead === 0) socket.destroy();
    }, LOOK_EVERY_MS);
    await closed;
    clearInterval(look);
  }

  /**
   * What waits to be accepted is reset with the listener. So that is closed right after a turn of the loop that
   * was short and accepted nobody; or after a hundred turns.
   */
  async #nothingWaits(): Promise<void> {
    for (let turns = 0; turns < 100; turns++) {
      const [before, begun] = [this.#accepted, performance.now()];
      await turn();
      if (this.#accepted === before && performance.now() - begun < 1) return;
    }
  }
}
