import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { DrainCoordinator } from '@novacron/service-kit/drain';
import { Authentication } from '../auth/authentication.js';
import { authorize } from '../auth/roles.guard.js';
import { RequestConsistency } from '../consistency/consistency.js';
import { answerHeaders, JSON_TYPE } from '../http/answer.js';
import { codingFor, encodedOf, encodedTag, SMALLEST, type Coding } from '../http/compression.js';
import { noneMatch } from '../http/etag.js';
import { RateLimits } from '../limits/rate-limits.js';
import type { CacheableQuery } from '../reads/cacheable-query.js';
import type { Caller } from '../reads/caller.js';
import { later } from '../reads/requester.js';
import { Reads } from '../reads/reads.js';

/**
 * Answers GETs from the L1 before Nest sees the request, without parsing, validation or serialization. The answer goes
 * to the socket past Fastify's reply. Any other request continues to its controller; the guards keep what was done here.
 */
@Injectable()
export class HotReads implements OnModuleInit {
  constructor(
    private readonly adapterHost: HttpAdapterHost<FastifyAdapter>,
    private readonly authentication: Authentication,
    private readonly limits: RateLimits,
    private readonly consistency: RequestConsistency,
    private readonly reads: Reads,
    private readonly drain: DrainCoordinator,
  ) {}

  onModuleInit(): void {
    this.adapterHost.httpAdapter.getInstance().addHook('onRequest', (request, reply, done) => {
      const { raw, headers } = request;
      const query = raw.method === 'GET' ? this.reads.lookup(raw.url as string) : undefined;
      if (query === undefined || !isCausal(headers['novacron-consistency'])) return done();
      try {
        const caller = this.authentication.authenticate(request);
        if (caller instanceof Promise)
          caller.then((found) => this.#enter(request, reply, found, query, done)).catch(done);
        else this.#enter(request, reply, caller, query, done);
      } catch (error) {
        done(error as Error);
      }
    });
  }

  #enter(
    request: FastifyRequest,
    reply: FastifyReply,
    caller: Caller,
    query: CacheableQuery,
    done: () => void,
  ): void {
    request.bucket = this.limits.take(caller);
    this.consistency.takePresented(request);
    // Only operations with this access have a query with a key.
    authorize(caller, 'read');
    if (!this.#answer(request, reply, caller, query)) done();
  }

  /** @returns whether the L1 had the answer */
  #answer(request: FastifyRequest, reply: FastifyReply, caller: Caller, query: CacheableQuery): boolean {
    const { reads } = this;
    const { headers, position, bucket } = request;
    const reader = { caller, position, consistency: 'causal' } as const;
    const { lineage } = reads;
    if (lineage === null || !reads.mayUseCaches(reader, query)) return false;
    const entry = reads.cache.cached(reads.cacheRequest(reader, query));
    if (entry?.status !== 200) return false;

    const cached = reads.headers.of(entry, lineage);
    const coding = entry.bytes.length < SMALLEST ? null : codingFor(headers['accept-encoding']);
    const encoded = coding === null ? null : encodedOf(entry.bytes, coding);
    // `ReadResponder` compresses it once.
    if (encoded === undefined) return false;
    const observed = position === null ? cached.position : later(position, cached.position);
    const ifNoneMatch = headers['if-none-match'];
    const same = ifNoneMatch !== undefined && !noneMatch(ifNoneMatch, cached.etag);
    const tag = encoded === null ? cached.etag : encodedTag(cached.etag, coding as Coding);
    const fields = answerHeaders(
      this.consistency.observe(request, caller, observed),
      'l1',
      same && noneMatch(ifNoneMatch, tag) ? cached.etag : tag,
    );
    fields.push('X-Request-Id', request.id);
    if (bucket) fields.push('RateLimit-Policy', bucket.policy, 'RateLimit', bucket.state());
    if (!same) fields.push('Content-Type', JSON_TYPE, 'Content-Length', (encoded ?? cached).length);
    if (!same && encoded !== null) fields.push('Content-Encoding', coding as Coding);
    if (this.drain.signal.aborted) fields.push('Connection', 'close');
    reply.hijack();
    reply.raw.writeHead(same ? 304 : 200, fields);
    reply.raw.end(same ? undefined : (encoded ?? entry).bytes);
    return true;
  }
}

/** `causal` is the default. */
function isCausal(consistency: string | readonly string[] | undefined): boolean {
  return consistency === undefined || consistency === 'causal';
}
