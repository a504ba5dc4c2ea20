import { type Answered, type Client, lsnOf } from './client.js';
import type { ListFilter, Operation, Seen, ServedFrom } from './operation.js';
import type { Random } from './random.js';
import type { Recorder } from './recorder.js';
import type { Tenant } from './tenant.js';

/** A gateway with the HTTP client of its sessions. */
export interface Door {
  readonly client: Client;
  /** Increases with every restart of the gateway process. */
  incarnation: number;
}

export interface SessionParts {
  readonly number: number;
  readonly tenant: Tenant;
  readonly doors: readonly Door[];
  readonly recorder: Recorder;
  readonly random: Random;
  /** The only gateway of a session without a token. Undefined: the session uses all gateways and carries its token. */
  readonly pinnedTo?: number;
}

interface Remembered {
  readonly etag: string;
  readonly seen?: Seen;
  readonly items?: readonly Seen[];
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
export class Session {
  #token: string | undefined;
  #adopts: number | undefined;
  readonly #remembered = new Map<string, Remembered>();

  constructor(private readonly parts: SessionParts) {}

  /** Performs one random operation. @returns the recorded operation */
  async step(): Promise<Operation> {
    const { random, tenant, pinnedTo } = this.parts;
    if (pinnedTo === undefined && random.chance(0.04)) this.#adopt();
    const dice = random.next();
    if (tenant.size < tenant.wanted && (tenant.size < 3 || dice > 0.9)) return this.create();
    if (dice < 0.12) return this.#patch();
    if (dice < 0.125 && tenant.size >= tenant.wanted) return this.#delete();
    return dice < 0.7 ? this.#get() : this.#list();
  }

  /** Adopts a recent token of another session of the tenant. */
  #adopt(): void {
    const { random, tenant } = this.parts;
    if (tenant.mailbox.length === 0) return;
    const { token, after } = random.pick(tenant.mailbox);
    this.#token = token;
    this.#adopts = after;
    // The remembered answers belong to the old token.
    this.#remembered.clear();
  }

  /** Creates a VM. */
  async create(): Promise<Operation> {
    const { tenant, random } = this.parts;
    const write = tenant.nextWrite();
    const group = tenant.group(random);
    const name = `${random.pick(['web', 'db'])}-${write}`;
    const config = { cpu: 1, memory: 512, disk: 10, image: 'ubuntu-22.04' };
    tenant.size += 1;
    const body = { name, config, tags: { n: String(write), group } };
    const { common, answer } = await this.#send({ method: 'POST', path: '/api/v1/vms', body });
    const seen = answer.status === 201 ? this.#seen(answer.body as Body) : undefined;
    if (seen) tenant.vms.push(seen.vm);
    else tenant.size -= 1;
    return this.#done({ ...common, kind: 'create', write, group, ...(seen ? { seen } : {}) });
  }

  async #patch(): Promise<Operation> {
    const { tenant, random } = this.parts;
    const vm = tenant.any(random);
    const write = tenant.nextWrite();
    const group = tenant.group(random);
    const body = { tags: { n: String(write), group } };
    const { common, answer } = await this.#send({ method: 'PATCH', path: `/api/v1/vms/${vm}`, body });
    const seen = answer.status === 200 ? this.#seen(answer.body as Body) : undefined;
    return this.#done({ ...common, kind: 'patch', vm, write, group, ...(seen ? { seen } : {}) });
  }

  async #delete(): Promise<Operation> {
    const { tenant, random } = this.parts;
    const vm = tenant.any(random);
    const { common, answer } = await this.#send({ method: 'DELETE', path: `/api/v1/vms/${vm}` });
    if (answer.status < 300 && answer.status > 0) tenant.deleted(vm);
    return this.#done({ ...common, kind: 'delete', vm });
  }

  async #get(): Promise<Operation> {
    const { tenant, random } = this.parts;
    const vm = random.chance(0.05) ? tenant.lately(random) : tenant.any(random);
    const path = `/api/v1/vms/${vm}`;
    const { common, answer, before, consistency } = await this.#read(path);
    const seen =
      answer.status === 304
        ? before?.seen
        : answer.status === 200
          ? this.#seen(answer.body as Body)
          : undefined;
    if (seen && answer.etag !== undefined) this.#remember(path, { etag: answer.etag, seen });
    return this.#done({ ...common, kind: 'get', vm, consistency, ...(seen ? { seen } : {}) });
  }

  async #list(): Promise<Operation> {
    const { tenant, random } = this.parts;
    const { path, filter } = random.pick(tenant.lists);
    const { common, answer, before, consistency } = await this.#read(path);
    const body = answer.body as Body | undefined;
    const items =
      answer.status === 304
        ? before?.items
        : answer.status === 200
          ? (body?.items ?? []).map((item) => this.#seen(item))
          : undefined;
    if (items && answer.etag !== undefined) this.#remember(path, { etag: answer.etag, items });
    const shown: ListFilter = body?.['nextCursor'] ? { ...filter, partial: true } : filter;
    return this.#done({ ...common, kind: 'list', filter: shown, consistency, ...(items ? { items } : {}) });
  }

  async #read(path: string) {
    const { random } = this.parts;
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
    const { doors, random, pinnedTo, recorder, tenant, number } = this.parts;
    const carriesToken = pinnedTo === undefined;
    const gateway = pinnedTo ?? random.between(0, doors.length - 1);
    const { client, incarnation } = doors[gateway] as Door;
    const token = carriesToken ? this.#token : undefined;
    const headers = {
      authorization: `Bearer ${tenant.apiToken}`,
      ...wanted.headers,
      ...(token === undefined ? {} : { 'novacron-consistency-token': token }),
    };
    const adopts = this.#adopts === undefined ? {} : { adopts: this.#adopts };
    this.#adopts = undefined;
    const start = recorder.now();
    const answer: Answered = await client.send({ ...wanted, headers });
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
      tokenBefore: lsnOf(token),
      tokenAfter: lsnOf(answer.token),
      ...adopts,
      ...(answer.code === undefined ? {} : { code: answer.code }),
      ...(answer.retryAfter === undefined ? {} : { retryAfter: answer.retryAfter }),
      ...(answer.servedFrom === undefined ? {} : { servedFrom: answer.servedFrom as ServedFrom }),
    };
    return { common, answer };
  }

  #seen({ id, version, name, state, tags }: Body): Seen {
    return this.parts.recorder.seen({
      vm: id as string,
      version: version as number,
      name: name as string,
      state: state as string,
      write: Number(tags?.['n']),
      group: String(tags?.['group']),
    });
  }

  #done(operation: Parameters<Recorder['ended']>[0]): Operation {
    const { recorder, tenant } = this.parts;
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
