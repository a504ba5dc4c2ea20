import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Cache, type Loaded, type ReadRequest } from '@novacron/cache/cache';
import type { BytesReply, Consistency, RequestMeta } from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import { PLATFORM } from '@novacron/contracts/events';
import { parsePosition, type Position } from '@novacron/contracts/position';
import { RpcClient } from '@novacron/messaging/rpc-client';
import type { CacheableQuery, CachedQuery } from './cacheable-query.js';
import { CachedHeadersStore, contentTag, etagOf, lineageOf, type Lineage } from './cached-headers.js';
import type { Caller } from './caller.js';
import { DEADLINE_MS, type Requester } from './requester.js';

/** URLs whose query is remembered, and the longest of them. */
const REMEMBERED_URLS = 20_000;
const LONGEST_URL = 400;

/** The caller of a read, the position that it must include, and its consistency. */
export interface Reader {
  readonly caller: Caller;
  readonly position: Position | null;
  readonly consistency: Consistency;
}

/** The body of a read, with its ETag. */
export interface ReadResult {
  readonly bytes: Buffer;
  readonly etag: string;
  /** Reports bytes that are kept together with a cached body; undefined for a body that is not cached. */
  readonly grew?: (size: number) => void;
}

/** Answers GETs from the caches where the rules allow it, otherwise from the service that owns the answer. */
@Injectable()
export class Reads {
  readonly #queries = new LRUCache<string, CacheableQuery>({ max: REMEMBERED_URLS });
  readonly #lineages = new WeakMap<Buffer, Lineage>();
  readonly headers = new CachedHeadersStore();
  #lineage: Lineage | null = null;

  constructor(
    readonly cache: Cache,
    private readonly rpc: RpcClient,
  ) {}

  /** The query of a URL that was validated before. */
  lookup(url: string): CacheableQuery | undefined {
    return this.#queries.get(url);
  }

  remember(url: string, query: CacheableQuery): void {
    if (query.key !== null && url.length <= LONGEST_URL) this.#queries.set(url, query);
  }

  /** The lineage of the caches' positions; null before the first watermark or invalidation. */
  get lineage(): Lineage | null {
    const { lineage } = this.cache.coherence;
    if (lineage !== (this.#lineage?.text ?? null))
      this.#lineage = lineage === null ? null : lineageOf(lineage);
    return this.#lineage;
  }

  /** @throws ServiceError what the owner replied, `history_lost`, `dependency_down`, … */
  async read(requester: Requester, query: CacheableQuery): Promise<ReadResult> {
    if (!this.mayUseCaches(requester, query)) {
      const { body, version } = await requester.requestRaw(query.contract, query.body());
      return { bytes: body, etag: version === undefined ? contentTag(body) : etagOf(version) };
    }
    const request = this.cacheRequest(requester, query);
    const { entry, servedFrom } = await this.cache.read(request);
    const lineage = this.#lineages.get(entry.bytes) ?? (this.lineage as Lineage);
    const headers = this.headers.of(entry, lineage);
    requester.observe(headers.position);
    requester.servedFrom = servedFrom;
    if (entry.status === 404) throw new ServiceError('not_found', entry.bytes.toString());
    const grew = (size: number): void => this.cache.grew(request, entry, size);
    return { bytes: entry.bytes, etag: headers.etag, grew };
  }

  /** Not for operators, who read across tenants, nor for strong reads, nor for a position of another lineage. */
  mayUseCaches({ caller, position, consistency }: Reader, query: CacheableQuery): query is CachedQuery {
    if (query.key === null || consistency === 'strong' || caller.roles.includes('platform_operator'))
      return false;
    return position === null || consistency === 'eventual' || this.#isOurs(position);
  }

  cacheRequest({ caller, position, consistency }: Reader, query: CachedQuery): ReadRequest {
    const { type, id, group, forAll } = query.key;
    return {
      type,
      id,
      tenantId: forAll === true ? PLATFORM : caller.tenantId,
      ...(group === undefined ? {} : { group }),
      token: position === null || consistency === 'eventual' ? null : position.lsn,
      consistency,
      load: (token) => this.#load(caller, query, token),
    };
  }

  #isOurs(position: Position): boolean {
    const { lineage } = this;
    return (
      lineage !== null && lineage.timeline === position.timeline && lineage.systemId === position.systemId
    );
  }

  /** Loads for all callers that wait for the entry: with a deadline of its own, and without one caller's headers. */
  async #load(
    { tenantId, principal, roles }: Caller,
    query: CacheableQuery,
    token: bigint | null,
  ): Promise<Loaded> {
    const meta: RequestMeta = {
      tenantId,
      principal,
      roles: [...roles],
      remainingMs: DEADLINE_MS,
      consistency: token === null ? 'eventual' : 'causal',
      minPosition: token === null ? null : `${this.cache.coherence.lineage}.${token}`,
    };
    try {
      return this.#loaded(await this.rpc.requestRaw(query.contract, meta, query.body()));
    } catch (error) {
      const absence = absenceOf(error);
      if (absence === null) throw error;
      return this.#loaded(absence, 404);
    }
  }

  #loaded(reply: BytesReply, status = 200): Loaded {
    // A copy: the reply is a slice of a socket buffer, and would keep all of it.
    const bytes = Buffer.from(reply.body);
    if (reply.position === null) throw new ServiceError('internal', 'The reply has no position');
    const upperBound = parsePosition(reply.position);
    const lowerBound = reply.holds === undefined ? null : parsePosition(reply.holds);
    const lineage = lineageOf(`${upperBound.systemId}.${upperBound.timeline}`);
    this.#lineages.set(bytes, lineage);
    return {
      bytes,
      version: reply.version ?? null,
      position: lowerBound?.lsn ?? 0n,
      seen: upperBound.lsn,
      // A reply without a lower bound is answered, and not cached.
      lineage: lowerBound === null ? '' : lineage.text,
      status,
      servedFrom: reply.servedFrom ?? 'primary',
    };
  }
}

/** An absence as a reply, if the error is one and says at which position it was read. */
function absenceOf(error: unknown): BytesReply | null {
  if (!(error instanceof ServiceError) || error.code !== 'not_found' || error.readAt === undefined)
    return null;
  return { body: Buffer.from(error.detail), ...error.readAt };
}
