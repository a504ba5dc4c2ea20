import { Injectable } from '@nestjs/common';
import type { CacheableQuery } from '../reads/cacheable-query.js';
import { Reads } from '../reads/reads.js';
import type { Requester } from '../reads/requester.js';
import type { Answer } from './answer.js';
import { codingFor, encode, SMALLEST } from './compression.js';
import { noneMatch } from './etag.js';

/** Answers a GET through the caches, with ETag and If-None-Match. */
@Injectable()
export class ReadResponder {
  constructor(private readonly reads: Reads) {}

  /** @throws ServiceError as `Reads.read` */
  async answer(requester: Requester, query: CacheableQuery): Promise<Answer> {
    const { headers, http } = requester;
    this.reads.remember(http.url, query);
    const { bytes, etag, grew } = await this.reads.read(requester, query);
    const coding =
      grew === undefined || bytes.length < SMALLEST ? null : codingFor(headers['accept-encoding']);
    // Compressed for this answer and for later hits: the result is kept as long as the entry.
    if (coding !== null) await encode(bytes, coding, grew);
    return noneMatch(headers['if-none-match'], etag) ? { status: 200, bytes, etag } : { status: 304, etag };
  }
}
