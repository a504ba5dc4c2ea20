import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunningStack } from '@novacron/testkit/running-stack';

/** The fields of a VM that these tests read. */
export interface VmBody {
  readonly id: string;
  readonly tenantId: string;
  readonly name: string;
  readonly state: string;
  readonly zone: string;
  readonly hostId: string | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly task: { readonly jobId: string } | null;
  readonly lastError: { readonly code: string; readonly detail: string } | null;
  readonly incarnation: number;
  readonly version: number;
  readonly allowedActions: readonly string[];
}

export interface ProblemBody {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly requestId: string;
  readonly retryable: boolean;
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
}

export interface ApiResponse<Body> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
  readonly text: string;
}

type RequestHeaders = Readonly<Record<string, string>>;

/** The longest time of an answer. The longest wait is a minute. */
const LONGEST_ANSWER_MS = 70_000;

/** A body of the guide's size. */
export function guideBody(name: string) {
  return { name, config: { cpu: 2, memory: 4096, disk: 50, image: 'ubuntu-22.04' } };
}

/** A client of the public API with one token. */
export class Api {
  private seen: RequestHeaders = {};

  constructor(
    readonly url: string,
    private readonly token: string | undefined,
    /** Whether it carries the consistency token from answer to request, as the SDK does. */
    private readonly carries = false,
  ) {}

  /** Sends a text `body` unchanged, else as JSON. A refusal is an answer. A broken connection throws. */
  async send<Body>(
    method: string,
    path: string,
    body?: unknown,
    headers: RequestHeaders = {},
  ): Promise<ApiResponse<Body>> {
    const authorization = this.token === undefined ? {} : { Authorization: `Bearer ${this.token}` };
    const type = body === undefined ? {} : { 'Content-Type': 'application/json' };
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: { ...authorization, ...type, ...this.seen, ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(LONGEST_ANSWER_MS),
    });
    const text = await response.text();
    const consistency = response.headers.get('novacron-consistency-token');
    if (this.carries && consistency !== null) this.seen = { 'NovaCron-Consistency-Token': consistency };
    const isJson = /json/.test(response.headers.get('content-type') ?? '') && text !== '';
    return {
      status: response.status,
      headers: response.headers,
      body: (isJson ? JSON.parse(text) : undefined) as Body,
      text,
    };
  }

  get<Body>(path: string, headers?: RequestHeaders): Promise<ApiResponse<Body>> {
    return this.send('GET', path, undefined, headers);
  }

  post<Body>(path: string, body?: unknown, headers?: RequestHeaders): Promise<ApiResponse<Body>> {
    return this.send('POST', path, body, headers);
  }

  create(body: unknown, headers?: RequestHeaders): Promise<ApiResponse<VmBody>> {
    return this.post('/api/v1/vms', body, headers);
  }

  vm(id: string, headers?: RequestHeaders): Promise<ApiResponse<VmBody>> {
    return this.get(`/api/v1/vms/${id}`, headers);
  }

  wait(id: string, state: string, seconds = 30): Promise<ApiResponse<VmBody>> {
    return this.get(`/api/v1/vms/${id}/wait?state=${state}&timeout=${seconds}`);
  }

  act(id: string, verb: string, body: unknown = {}): Promise<ApiResponse<{ job: { id: string } | null }>> {
    return this.post(`/api/v1/vms/${id}/actions/${verb}`, body);
  }

  remove(id: string): Promise<ApiResponse<unknown>> {
    return this.send('DELETE', `/api/v1/vms/${id}`);
  }

  /** Every VM whose name begins with `prefix`, page by page. */
  async list(prefix: string): Promise<VmBody[]> {
    const all: VmBody[] = [];
    let cursor: string | null = null;
    do {
      const more: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const page = await this.get<{ items: VmBody[]; nextCursor: string | null }>(
        `/api/v1/vms?limit=500&namePrefix=${prefix}${more}`,
      );
      if (page.status !== 200) throw new Error(`the list of VMs answered ${page.status}: ${page.text}`);
      all.push(...page.body.items);
      cursor = page.body.nextCursor;
    } while (cursor !== null);
    return all;
  }
}

/** A client of a stack. With several gateways it carries consistency tokens, so that reads never go back. */
export function apiOf(stack: Pick<RunningStack, 'url' | 'gateways'>, token: string): Api {
  return new Api(stack.url, token, stack.gateways > 1);
}

/** The result of a create with retries. */
export interface Created {
  readonly vm: VmBody;
  readonly attempts: number;
  /** the reason for each retry, in order */
  readonly refusals: readonly string[];
}

/** Creates as the SDK does: one Idempotency-Key for all attempts, and a retry of broken connections and retryable refusals. */
export async function createPatiently(api: Api, body: unknown, withinMs = 60_000): Promise<Created> {
  const key = { 'Idempotency-Key': randomUUID() };
  const refusals: string[] = [];
  const until = Date.now() + withinMs;
  for (let attempts = 1; ; attempts++) {
    const answer = await api.create(body, key).catch((error: unknown) => error as Error);
    if (!(answer instanceof Error) && answer.status === 201) return { vm: answer.body, attempts, refusals };
    const problem = answer instanceof Error ? undefined : (answer.body as unknown as ProblemBody);
    refusals.push(
      answer instanceof Error
        ? String(answer.cause ?? answer)
        : `${answer.status} ${problem?.code}: ${problem?.detail}`,
    );
    if (problem && !problem.retryable) throw new Error(`not retryable: ${refusals.join('; ')}`);
    if (Date.now() > until)
      throw new Error(`not created within ${withinMs} ms: ${[...new Set(refusals)].join('; ')}`);
    await sleep(100 + Math.random() * 100);
  }
}
