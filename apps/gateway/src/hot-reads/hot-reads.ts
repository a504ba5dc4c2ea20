import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Position } from '@novacron/contracts/position';
import type { Caller } from '../reads/caller.js';
import type { ConsistencyTokens } from '../consistency/consistency-token.js';
import { codingFor, encodedOf, encodedTag, SMALLEST, type Coding } from '../http/compression.js';
import { noneMatch } from '../http/etag.js';
import { later, type Positions } from '../consistency/positions.js';
import { CACHE_CONTROL, JSON_TYPE, VARY } from '../http/answer.js';
import type { TokenBucket } from '../limits/token-bucket.js';
import type { Reads } from '../reads/reads.js';

export interface HotParts {
  readonly reads: Reads;
  readonly tokens: ConsistencyTokens;
  readonly positions: Positions;
  readonly draining: AbortSignal;
}

/**
 * Answers GETs that the L1 has before anything else is done for them: nothing is parsed, validated or serialized,
 * and the answer goes to the socket past Fastify's reply. What is not plain goes the usual way.
 */
export class HotPath {
  constructor(private readonly parts: HotParts) {}

  /**
   * @param bucket that the request was taken from; null without a limit
   * @returns whether it was answered
   */
  answer(request: FastifyRequest, reply: FastifyReply, caller: Caller, bucket: TokenBucket | null): boolean {
    const { reads } = this.parts;
    const { raw, headers, position } = request;
    const question = raw.method === 'GET' ? reads.known(raw.url as string) : undefined;
    if (question === undefined || !plain(headers['novacron-consistency'])) return false;
    const asker = { caller, position, consistency: 'causal' } as const;
    const { history } = reads;
    if (history === null || !reads.mayUseCaches(asker, question)) return false;
    const entry = reads.cache.cached(reads.request(asker, question));
    if (entry?.status !== 200) return false;

    const shown = reads.shown.of(entry, history);
    const coding = entry.bytes.length < SMALLEST ? null : codingFor(headers['accept-encoding']);
    const encoded = coding === null ? null : encodedOf(entry.bytes, coding);
    // The usual way makes it, once.
    if (encoded === undefined) return false;
    const seen = position === null ? shown.position : later(position, shown.position);
    if (seen !== position) this.#remember(request, caller, seen);
    const ifNoneMatch = headers['if-none-match'];
    const same = ifNoneMatch !== undefined && !noneMatch(ifNoneMatch, shown.etag);
    const tag = encoded === null ? shown.etag : encodedTag(shown.etag, coding as Coding);
    // Names and values in turn: node writes them as they are.
    const fields = [
      'X-Request-Id',
      request.id,
      'NovaCron-Consistency-Token',
      this.parts.tokens.sign(seen),
      'NovaCron-Served-From',
      'l1',
      'ETag',
      same && noneMatch(ifNoneMatch, tag) ? shown.etag : tag,
      'Cache-Control',
      CACHE_CONTROL,
      'Vary',
      VARY,
    ];
    if (bucket !== null) fields.push('RateLimit-Policy', bucket.policy, 'RateLimit', bucket.state());
    if (!same) fields.push('Content-Type', JSON_TYPE, 'Content-Length', (encoded ?? shown).length);
    if (!same && encoded !== null) fields.push('Content-Encoding', coding as Coding);
    if (this.parts.draining.aborted) fields.push('Connection', 'close');
    reply.hijack();
    reply.raw.writeHead(same ? 304 : 200, fields);
    reply.raw.end(same ? undefined : (encoded ?? entry).bytes);
    return true;
  }

  #remember(request: FastifyRequest, caller: Caller, seen: Position): void {
    request.position = seen;
    this.parts.positions.remember(caller.credentialId, seen);
  }
}

/** `causal` is what is meant without the header. */
function plain(consistency: string | readonly string[] | undefined): boolean {
  return consistency === undefined || consistency === 'causal';
}
