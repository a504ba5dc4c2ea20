import { Controller, Get, Param, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { ServiceError } from '@novacron/contracts/errors';
import { MUST_REVALIDATE } from './cache-control.js';
import { readDocs, type Docs } from './docs-page.js';

const POLICY = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'";
/** The name contains a hash of the content, so no cache, a CDN included, has to revalidate it. */
const IMMUTABLE = 'public, max-age=31536000, immutable';

/** Serves the API's documentation at /docs. Its files, 1.5 MB, are read on the first request. */
@Controller()
export class DocsController {
  #docs: Docs | undefined;

  @Get('/docs')
  page(@Res() reply: FastifyReply): void {
    void reply
      .type('text/html; charset=utf-8')
      .header('Content-Security-Policy', POLICY)
      // The page is small, and names the files of exactly this version.
      .header('Cache-Control', MUST_REVALIDATE)
      .send(this.#read().page);
  }

  /** Browsers request it on their own. */
  @Get('/favicon.ico')
  icon(@Res() reply: FastifyReply): void {
    void reply.type('image/png').header('Cache-Control', 'public, max-age=86400').send(this.#read().icon);
  }

  @Get('/docs/assets/:name')
  asset(@Param('name') name: string, @Res() reply: FastifyReply): void {
    const asset = this.#read().assets.get(name);
    // A file of another version, which another gateway may have: no cache may keep this answer.
    if (asset === undefined) throw new ServiceError('not_found', 'There is no such file in this version.');
    void reply.type(asset.type).header('Cache-Control', IMMUTABLE).send(asset.bytes);
  }

  #read(): Docs {
    return (this.#docs ??= readDocs());
  }
}
