import { type ApiAnswer, type Client, walPositionOf } from './client.js';
import type { ListFilter, Operation, ObservedVm, ServedFrom } from './operation.js';
import type { Random } from './random.js';
import type { HistoryRecorder } from './recorder.js';
import type { Tenant } from './tenant.js';

/** A gateway with the HTTP client of its sessions. */
export interface GatewayEndpoint {
  readonly client: Client;
  /** Increases with every restart of the gateway process. */
  incarnation: number;
}

export interface HistoryClientOptions {
  readonly number: number;
  readonly tenant: Tenant;
  readonly gateways: readonly GatewayEndpoint[];
  readonly recorder: HistoryRecorder;
  readonly random: Random;
  /** The only gateway of a session without a token. Undefined: the session uses all gateways and carries its token. */
  readonly pinnedTo?: number;
}

interface Remembered {
  readonly etag: string;
  readonly observed?: ObservedVm;
  readonly items?: readonly ObservedVm[];
}

type Consistency = 'causal' | 'strong' | 'eventual';
type Body = Record<string, unknown> & { tags?: Record<string, string>; items?: Body[] };

/** The request of an operation. */
interface Wanted {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

const REMEMBERED = 30;

/** The client of one session: sends one request after the other, and carries its consistency token along. */
export class HistoryClient {
  #token: string | undefined;
  #adopts: number | undefined;
  readonly #remembered = new Map<string, Remembered>();

  constructor(private readonly options: HistoryClientOptions) {}

  /** Performs one random operation. @returns the recorded operation */
  async step(): Promise<Operation> {
    const { random, tenant, pinnedTo } = this.options;
    if (pinnedTo === undefined && random.chance(0.04)) this.#adopt();
    const dice = random.next();
    if (tenant.size < tenant.wanted && (tenant.size < 3 || dice > 0.9)) return this.create();
    if (dice < 0.12) return this.#patch();
    if (dice < 0.125 && tenant.size >= tenant.wanted) return this.#delete();
    return dice < 0.7 ? this.#get() : this.#list();
  }

  /** Adopts a recent token of another session of the tenant. */
  #adopt(): void {
    const { random, tenant } = this.options;
    if (tenant.mailbox.length === 0) return;
    const { token, after } = random.pick(tenant.mailbox);
    this.#token = token;
    this.#adopts = after;
    // The remembered answers belong to the old token.
    this.#remembered.clear();
  }

  /** Creates a VM. */
  async create(): Promise<Operation> {
    const { tenant, random } = this.options;
    const write = tenant.nextWrite();
    const group = tenant.group(random);
    const name = `${random.pick(['web', 'db'])}-${write}`;
    const config = { cpu: 1, memory: 512, disk: 10, image: 'ubuntu-22.04' };
    tenant.size += 1;
    const body = { name, config, tags: { n: String(write), group } };
    const { common, answer } = await this.#send({ method: 'POST', path: '/api/v1/vms', body });
    const observed = answer.status === 201 ? this.#observed(answer.body as Body) : undefined;
    if (observed) tenant.vms.push(observed.vm);
    else tenant.size -= 1;
    return this.#done({ ...common, kind: 'create', write, group, ...(observed ? { observed } : {}) });
  }

  async #patch(): Promise<Operation> {
    const { tenant, random } = this.options;
    const vm = tenant.any(random);
    const write = tenant.nextWrite();
    const group = tenant.group(random);
    const body = { tags: { n: String(write), group } };
    const { common, answer } = await this.#send({ method: 'PATCH', path: `/api/v1/vms/${vm}`, body });
    const observed = answer.status === 200 ? this.#observed(answer.body as Body) : undefined;
    return this.#done({ ...common, kind: 'patch', vm, write, group, ...(observed ? { observed } : {}) });
  }

  async #delete(): Promise<Operation> {
    const { tenant, random } = this.options;
    const vm = tenant.any(random);
    const { common, answer } = await this.#send({ method: 'DELETE', path: `/api/v1/vms/${vm}` });
    if (answer.status < 300 && answer.status > 0) tenant.deleted(vm);
    return this.#done({ ...common, kind: 'delete', vm });
  }

  async #get(): Promise<Operation> {
    const { tenant, random } = this.options;
    const vm = random.chance(0.05) ? tenant.lately(random) : tenant.any(random);
    const path = `/api/v1/vms/${vm}`;
    const { common, answer, before, consistency } = await this.#read(path);
    const observed =
      answer.status === 304
        ? before?.observed
        : answer.status === 200
          ? this.#observed(answer.body as Body)
          : undefined;
    if (observed && answer.etag !== undefined) this.#remember(path, { etag: answer.etag, observed });
    return this.#done({ ...common, kind: 'get', vm, consistency, ...(observed ? { observed } : {}) });
  }

  async #list(): Promise<Operation> {
    const { tenant, random } = this.options;
    const { path, filter } = random.pick(tenant.lists);
    const { common, answer, before, consistency } = await this.#read(path);
    const body = answer.body as Body | undefined;
    const items =
      answer.status === 304
        ? before?.items
        : answer.status === 200
          ? (body?.items ?? []).map((item) => this.#observed(item))
          : undefined;
    if (items && answer.etag !== undefined) this.#remember(path, { etag: answer.etag, items });
    const shown: ListFilter = body?.['nextCursor'] ? { ...filter, partial: true } : filter;
    return this.#done({ ...common, kind: 'list', filter: shown, consistency, ...(items ? { items } : {}) });
  }

  async #read(path: string) {
    const { random } = this.options;
    const dice = random.next();
    const consistency: Consistency = dice < 0.02 ? 'strong' : dice < 0.03 ? 'eventual' : 'causal';
    const before = random.chance(0.5) ? this.#remembered.get(path) : undefined;
    const headers = {
      ...(consistency === 'causal' ? {} : { 'novacron-consistency': consistency }),
      ...(before ? { 'if-none-match': before.etag } : {}),
    };
    return { ...(await this.#send({ method: 'GET', path, headers })), before, consistency };
  }

  async #send(wanted: Wanted) {
    const { gateways, random, pinnedTo, recorder, tenant, number } = this.options;
    const carriesToken = pinnedTo === undefined;
    const gateway = pinnedTo ?? random.between(0, gateways.length - 1);
    const { client, incarnation } = gateways[gateway] as GatewayEndpoint;
    const token = carriesToken ? this.#token : undefined;
    const headers = {
      authorization: `Bearer ${tenant.apiToken}`,
      ...wanted.headers,
      ...(token === undefined ? {} : { 'novacron-consistency-token': token }),
    };
    const adopts = this.#adopts === undefined ? {} : { adopts: this.#adopts };
    this.#adopts = undefined;
    const start = recorder.now();
    const answer: ApiAnswer = await client.send({ ...wanted, headers });
    if (carriesToken && answer.token !== undefined) this.#token = answer.token;
    const common = {
      session: number,
      tenant: tenant.number,
      gateway,
      incarnation,
      start,
      end: recorder.now(),
      status: answer.status,
      carriesToken,
      tokenBefore: walPositionOf(token),
      tokenAfter: walPositionOf(answer.token),
      ...adopts,
      ...(answer.code === undefined ? {} : { code: answer.code }),
      ...(answer.retryAfter === undefined ? {} : { retryAfter: answer.retryAfter }),
      ...(answer.servedFrom === undefined ? {} : { servedFrom: answer.servedFrom as ServedFrom }),
    };
    return { common, answer };
  }

  #observed({ id, version, name, state, tags }: Body): ObservedVm {
    return this.options.recorder.observed({
      vm: id as string,
      version: version as number,
      name: name as string,
      state: state as string,
      write: Number(tags?.['n']),
      group: String(tags?.['group']),
    });
  }

  #done(operation: Parameters<HistoryRecorder['ended']>[0]): Operation {
    const { recorder, tenant } = this.options;
    const recorded = recorder.ended(operation);
    if (this.#token !== undefined) tenant.post({ token: this.#token, after: recorded.id });
    return recorded;
  }

  #remember(path: string, what: Remembered): void {
    this.#remembered.delete(path);
    this.#remembered.set(path, what);
    const [oldest] = this.#remembered.keys();
    if (this.#remembered.size > REMEMBERED && oldest !== undefined) this.#remembered.delete(oldest);
  }
}
