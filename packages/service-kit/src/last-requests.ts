import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';

/** Connections without a request for this long are not in use. */
const QUIET_MS = 1_000;
/** Idle connections are closed after this time in any case. */
const LONGEST_MS = 4_000;
const LOOK_EVERY_MS = 50;

/**
 * Closes a server whose clients keep connections open, without losing a request. A client, above all a balancer, may
 * send a request on an idle connection at the moment that the server closes it. The client then cannot know whether
 * the request was accepted, and must not resend a request that is not a GET. So idle connections stay open. The answer
 * to the next request closes each one, and says so. The server itself closes only connections that are not in use.
 */
export class LastRequests {
  /** Connections without a request so far. Node counts them as busy and would wait for them without limit. */
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

  /** Accepts no new connection, and resolves when all are closed. */
  async end(): Promise<void> {
    if (!this.server.listening) return;
    const closeIdle = this.server.closeIdleConnections.bind(this.server);
    // Node's close() would call it.
    this.server.closeIdleConnections = () => undefined;
    await this.#acceptQueueEmpty();
    const closed = new Promise<void>((done) => this.server.close(() => done()));
    const begun = (this.#lastUse = performance.now());
    const look = setInterval(() => {
      const now = performance.now();
      const late = now - begun >= LONGEST_MS;
      if (now - this.#lastUse < QUIET_MS && !late) return;
      closeIdle();
      // A half-read request is given more time.
      for (const socket of this.#silent) if (late || socket.bytesRead === 0) socket.destroy();
    }, LOOK_EVERY_MS);
    await closed;
    clearInterval(look);
  }

  /**
   * Closing the listener resets connections that wait to be accepted. So it is closed right after a short turn of the
   * event loop that accepted none, or after a hundred turns.
   */
  async #acceptQueueEmpty(): Promise<void> {
    for (let turns = 0; turns < 100; turns++) {
      const [before, begun] = [this.#accepted, performance.now()];
      await turn();
      if (this.#accepted === before && performance.now() - begun < 1) return;
    }
  }
}
