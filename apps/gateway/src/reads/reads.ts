import type { Cache, Loaded, ReadRequest } from '@novacron/cache/cache';
import type { BytesReply, Consistency, RequestMeta, RpcContract } from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import { PLATFORM } from '@novacron/contracts/events';
import { parsePosition, type Position } from '@novacron/contracts/position';
import { BoundedMap } from './bounded-map.js';
import { DEADLINE_MS, type Call } from './requester.js';
import type { Caller } from './caller.js';
import { codingFor, encode, SMALLEST } from '../http/compression.js';
import { etagOf, noneMatch } from '../http/etag.js';
import type { Answer } from '../http/route.js';
import type { Question } from './cacheable-query.js';
import { contentTag, historyOf, ShownEntries, type History } from './cached-headers.js';

/** What the owning services are asked through; `RpcClient` of packages/messaging. */
export interface BytesRpc {
  requestRaw(contract: RpcContract, meta: RequestMeta, body: unknown): Promise<BytesReply>;
}

/** URLs whose question is remembered, and how long one may be. */
const KNOWN_URLS = 20_000;
const LONGEST_URL = 400;

/** Who asks, from which position on, and how fresh it must be. */
export interface Asker {
  readonly caller: Caller;
  readonly position: Position | null;
  readonly consistency: Consistency;
}

/** GETs: from the caches where the rules allow it, else from the service that owns the answer. */
export class Reads {
  readonly #known = new BoundedMap<string, Question>(KNOWN_URLS);
  readonly #histories = new WeakMap<Buffer, History>();
  readonly shown = new ShownEntries();
  #history: History | null = null;

  constructor(
    readonly cache: Cache,
    private readonly rpc: BytesRpc,
  ) {}

  /** The question that this URL was found to ask; the path and query are valid then. */
  known(url: string): Question | undefined {
    return this.#known.get(url);
  }

  learn(url: string, question: Question): void {
    if (question.kept !== null && url.length <= LONGEST_URL) this.#known.set(url, question);
  }

  /** What the caches' positions are of; null before anything was heard of the invalidators. */
  get history(): History | null {
    const { history } = this.cache.coherence;
    if (history !== (this.#history?.text ?? null))
      this.#history = history === null ? null : historyOf(history);
    return this.#history;
  }

  /** @throws ServiceError what the owner answered, `history_lost`, `dependency_down`, … */
  async answer(call: Call, question: Question): Promise<Answer> {
    const ifNoneMatch = call.headers['if-none-match'];
    if (!this.mayUseCaches(call, question)) {
      const reply = await call.askBytes(question.contract, question.body());
      return answered(
        reply.body,
        reply.version === undefined ? contentTag(reply.body) : etagOf(reply.version),
        ifNoneMatch,
      );
    }
    const request = this.request(call, question);
    const { entry, servedFrom } = await this.cache.read(request);
    const coding = entry.bytes.length < SMALLEST ? null : codingFor(call.headers['accept-encoding']);
    // Made for this answer and the hits after it: it takes room as long as the entry does.
    if (coding !== null) await encode(entry.bytes, coding, (size) => this.cache.grew(request, entry, size));
    const shown = this.shown.of(entry, this.#histories.get(entry.bytes) ?? (this.history as History));
    call.saw(shown.position);
    call.servedFrom = servedFrom;
    if (entry.status === 404) throw new ServiceError('not_found', entry.bytes.toString());
    return answered(entry.bytes, shown.etag, ifNoneMatch);
  }

  /** Operators see all tenants' things, strong reads the present; and positions of two histories do not compare. */
  mayUseCaches({ caller, position, consistency }: Asker, { kept }: Question): boolean {
    if (kept === null || consistency === 'strong' || caller.roles.includes('platform_operator')) return false;
    return position === null || consistency === 'eventual' || this.#isOurs(position);
  }

  request({ caller, position, consistency }: Asker, question: Question): ReadRequest {
    const { type, id, group, forAll } = question.kept as NonNullable<Question['kept']>;
    return {
      type,
      id,
      tenantId: forAll === true ? PLATFORM : caller.tenantId,
      ...(group === undefined ? {} : { group }),
      token: position === null || consistency === 'eventual' ? null : position.lsn,
      consistency,
      load: (token) => this.#load(caller, question, token),
    };
  }

  #isOurs(position: Position): boolean {
    const { history } = this;
    return (
      history !== null && history.timeline === position.timeline && history.systemId === position.systemId
    );
  }

  /** For all who ask at this moment, so with a deadline of its own and without anybody's wishes. */
  async #load(
    { tenantId, principal, roles }: Caller,
    question: Question,
    token: bigint | null,
  ): Promise<Loaded> {
    const meta: RequestMeta = {
      tenantId,
      principal,
      roles: [...roles],
      remainingMs: DEADLINE_MS,
      consistency: token === null ? 'eventual' : 'causal',
      minPosition: token === null ? null : `${this.cache.coherence.history}.${token}`,
    };
    try {
      return this.#loaded(await this.rpc.requestRaw(question.contract, meta, question.body()));
    } catch (error) {
      const absence = absent(error);
      if (absence === null) throw error;
      return this.#loaded(absence, 404);
    }
  }

  #loaded(reply: BytesReply, status = 200): Loaded {
    // A copy: the reply is a piece of what came over the socket, and would hold all of it.
    const bytes = Buffer.from(reply.body);
    if (reply.position === null)
      throw new ServiceError('internal', 'The answer does not say of which state it is');
    const seen = parsePosition(reply.position);
    const holds = reply.holds === undefined ? null : parsePosition(reply.holds);
    const history = historyOf(`${seen.systemId}.${seen.timeline}`);
    this.#histories.set(bytes, history);
    return {
      bytes,
      version: reply.version ?? null,
      position: holds?.lsn ?? 0n,
      seen: seen.lsn,
      // What does not say what it holds is answered and not kept.
      history: holds === null ? '' : history.text,
      status,
      servedFrom: reply.servedFrom ?? 'primary',
    };
  }
}

/** An absence as a reply, if the error is one and says when it was so. */
function absent(error: unknown): BytesReply | null {
  if (!(error instanceof ServiceError) || error.code !== 'not_found' || error.readAt === undefined)
    return null;
  return { body: Buffer.from(error.detail), ...error.readAt };
}

function answered(bytes: Buffer, etag: string, ifNoneMatch: string | undefined): Answer {
  return noneMatch(ifNoneMatch, etag) ? { status: 200, bytes, etag } : { status: 304, etag };
}
