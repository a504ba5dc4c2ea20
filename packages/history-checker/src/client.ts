import { Agent, request } from 'node:http';

export interface ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** The answer. `status` is as in Operation. */
export interface ApiAnswer {
  readonly status: number;
  readonly code?: string;
  readonly token?: string;
  readonly etag?: string;
  readonly servedFrom?: string;
  readonly retryAfter?: number;
  readonly body?: unknown;
}

/** Longer than any time that the checker accepts. */
const PATIENCE_MS = 20_000;

/** HTTP client of one gateway with keep-alive and without retries, because every answer counts. */
export class Client {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 256 });

  constructor(readonly port: number) {}

  /** Never rejects. A broken connection is an answer too. */
  send({ method, path, headers, body }: ApiRequest): Promise<ApiAnswer> {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const more =
      payload === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) };
    return new Promise((resolve) => {
      const sent = request(
        {
          host: '127.0.0.1',
          port: this.port,
          agent: this.#agent,
          method,
          path,
          headers: { ...headers, ...more },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.once('end', () => resolve(answerOf(response.statusCode ?? 0, response.headers, chunks)));
          response.once('error', broken);
        },
      );
      const timer = setTimeout(() => {
        resolve({ status: -1, code: 'no answer' });
        sent.destroy();
      }, PATIENCE_MS);
      const broken = (error: NodeJS.ErrnoException): void =>
        resolve({ status: 0, code: error.code ?? error.message });
      sent.once('error', broken);
      sent.once('close', () => clearTimeout(timer));
      sent.end(payload);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function answerOf(status: number, headers: NodeJS.Dict<string | string[]>, chunks: Buffer[]): ApiAnswer {
  const header = (name: string): string | undefined => headers[name] as string | undefined;
  const text = Buffer.concat(chunks).toString();
  const isJson = text !== '' && /json/.test(header('content-type') ?? '');
  const body: unknown = isJson ? JSON.parse(text) : undefined;
  const fields = {
    token: header('novacron-consistency-token'),
    etag: header('etag'),
    servedFrom: header('novacron-served-from'),
    retryAfter: header('retry-after') === undefined ? undefined : Number(header('retry-after')),
    code: status >= 400 ? (body as { code?: string } | undefined)?.code : undefined,
  };
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  return { status, body, ...Object.fromEntries(given) };
}

/** The WAL position in a consistency token, for people who read a history. For other clients the token is opaque. */
export function walPositionOf(token: string | undefined): number {
  return token === undefined ? 0 : Number(Buffer.from(token, 'base64url').readBigUInt64BE(13));
}
