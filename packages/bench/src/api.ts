import { randomUUID } from 'node:crypto';
import { Pool } from 'undici';

/** The guide's VM. */
const CONFIG = { cpu: 2, memory: 4096, disk: 50, image: 'ubuntu-22.04' };

export interface ApiAnswer {
  readonly status: number;
  readonly text: string;
  /** the consistency token */
  readonly token: string;
  readonly servedFrom: string;
}

/** The API as a client library would call it: persistent connections, one request at a time on each. */
export class Api {
  private readonly pool: Pool;
  private readonly headers: Record<string, string>;

  constructor(url: string, token: string, connections = 256) {
    this.pool = new Pool(url, { connections, pipelining: 1, headersTimeout: 60_000, bodyTimeout: 60_000 });
    this.headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  }

  /** POST /api/v1/vms with an Idempotency-Key of its own. @throws when it is not answered 201 */
  async create(name: string, config: Partial<typeof CONFIG> = {}): Promise<string> {
    const { status, text } = await this.call('POST', '/api/v1/vms', {
      name,
      config: { ...CONFIG, ...config },
    });
    if (status !== 201) throw new Error(`create of ${name} was answered ${status}: ${text.slice(0, 300)}`);
    return text;
  }

  /** GET …/wait. @throws when the VM does not get into the state within 30 s */
  async wait(id: string, state: string): Promise<void> {
    const { status, text } = await this.call('GET', `/api/v1/vms/${id}/wait?state=${state}&timeout=30`);
    if (status !== 200) throw new Error(`wait for ${id} was answered ${status}: ${text.slice(0, 300)}`);
  }

  /** GET that is answered 200. @throws when it is not */
  async read(path: string, headers?: Readonly<Record<string, string>>): Promise<ApiAnswer> {
    const answer = await this.call('GET', path, undefined, headers);
    if (answer.status !== 200)
      throw new Error(`GET ${path} was answered ${answer.status}: ${answer.text.slice(0, 300)}`);
    return answer;
  }

  async call(
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<ApiAnswer> {
    const key = method === 'POST' ? { 'idempotency-key': randomUUID() } : undefined;
    const answer = await this.pool.request({
      method,
      path,
      headers: { ...this.headers, ...key, ...headers },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const header = (name: string) => String(answer.headers[name] ?? '');
    return {
      status: answer.statusCode,
      text: await answer.body.text(),
      token: header('novacron-consistency-token'),
      servedFrom: header('novacron-served-from'),
    };
  }

  close(): Promise<void> {
    return this.pool.destroy();
  }
}
