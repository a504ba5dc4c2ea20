import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Profiling } from './profiling.js';

export interface Readiness {
  /** Whether the process can serve something: also while it is degraded. */
  readonly ready: boolean;
  /** `degraded`: something that is served needs a dependency that failed its check. */
  readonly status: 'ok' | 'degraded' | 'unavailable';
  readonly checks: Readonly<Record<string, { readonly ok: boolean; readonly detail?: string }>>;
}

export interface OpsOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly metricsText: () => Promise<string>;
  /** Answers in bounded time; an error counts as not ready. */
  readonly ready: () => Promise<Readiness>;
  /** A report on the database's queries, for /queries; undefined before the first. */
  readonly queries?: () => object | undefined;
  /** Given: serves /profile/cpu and /profile/heap. */
  readonly profiling?: Profiling | undefined;
}

export interface Ops {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * The listener for operators, apart from the public one: `/health` says that the process lives, `/ready`
 * whether it can serve something (503 when not) and which dependency is missing, `/metrics` is Prometheus text, `/queries`
 * reports the database's queries, `/profile/…` records profiles where that is on.
 * @throws when the port is taken
 */
export async function startOps(options: OpsOptions): Promise<Ops> {
  const server = createServer({ headersTimeout: 5_000, requestTimeout: 10_000 }, (request, response) => {
    answer(options, request, response).catch((error: unknown) => {
      send(response, 500, 'text/plain', `${error instanceof Error ? error.message : String(error)}\n`);
    });
  });
  await listen(server, options.port, options.host);
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  options: OpsOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return send(response, 405, 'text/plain', 'only GET\n');
  }
  switch (request.url?.split('?')[0]) {
    case '/health':
      return send(response, 200, 'application/json', '{"status":"ok"}\n');
    case '/ready': {
      const readiness = await options.ready().catch(unready);
      return send(
        response,
        readiness.ready ? 200 : 503,
        'application/json',
        `${JSON.stringify(readiness)}\n`,
      );
    }
    case '/queries': {
      const report = options.queries?.();
      if (report === undefined) return send(response, 404, 'text/plain', 'no database is watched here\n');
      return send(response, 200, 'application/json', `${JSON.stringify(report)}\n`);
    }
    case '/metrics':
      return send(response, 200, 'text/plain; version=0.0.4; charset=utf-8', await options.metricsText());
    case '/profile/cpu':
    case '/profile/heap': {
      const off = 'profiling is off: ENABLE_PROFILING\n';
      if (options.profiling === undefined) return send(response, 404, 'text/plain', off);
      const kind = request.url?.startsWith('/profile/cpu') ? 'cpu' : 'heap';
      return options.profiling.answer(kind, request, response);
    }
    default:
      return send(response, 404, 'text/plain', '/health /ready /metrics /queries\n');
  }
}

function unready(error: unknown): Readiness {
  const detail = error instanceof Error ? error.message : String(error);
  return { ready: false, status: 'unavailable', checks: { readiness: { ok: false, detail } } };
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
