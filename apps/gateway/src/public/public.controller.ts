import { Controller, Get, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ERRORS, type ErrorCode } from '@novacron/contracts/errors';
import { API_VERSION } from '@novacron/contracts/operations/all';
import { Readiness } from '@novacron/service-kit/readiness';
import { errorPage } from '../errors/error-docs.js';
import { noneMatch } from '../http/etag.js';
import { Uncounted } from '../limits/rate-limit.guard.js';
import { contentTag } from '../reads/cached-headers.js';
import { apiDocument } from './api-document.js';
import { MUST_REVALIDATE, NOT_KEPT } from './cache-control.js';

const OVERVIEW = {
  name: 'NovaCron',
  version: API_VERSION,
  api: '/api/v1',
  documentation: '/docs',
  openapi: '/openapi.json',
  health: '/health',
  ready: '/ready',
};
const ERROR_PAGES = Object.keys(ERRORS).map((code) => `/errors/${code}`);
const OPEN_API = Buffer.from(JSON.stringify(apiDocument));
const OPEN_API_TAG = contentTag(OPEN_API);

/** What the gateway serves without a token. The rate limit does not count probes. */
@Controller()
export class PublicController {
  constructor(private readonly readiness: Readiness) {}

  @Get('/health')
  @Uncounted()
  health(@Res() reply: FastifyReply): void {
    void reply.header('Cache-Control', NOT_KEPT).send({ status: 'ok' });
  }

  @Get('/ready')
  @Uncounted()
  async ready(@Res() reply: FastifyReply): Promise<void> {
    const { ready, status, checks } = await this.readiness.report();
    const missing = Object.keys(checks).filter((name) => checks[name]?.ok === false);
    void reply
      .code(ready ? 200 : 503)
      .header('Cache-Control', NOT_KEPT)
      .send({ ready, missing, status, checks });
  }

  @Get('/')
  overview(@Req() { headers }: FastifyRequest, @Res() reply: FastifyReply): void {
    reply.header('Vary', 'Accept');
    void (wantsPage(headers.accept) ? reply.redirect('/docs', 302) : reply.send(OVERVIEW));
  }

  @Get('/openapi.json')
  openApi(@Req() { headers }: FastifyRequest, @Res() reply: FastifyReply): void {
    reply.header('Cache-Control', MUST_REVALIDATE).header('ETag', OPEN_API_TAG);
    if (noneMatch(headers['if-none-match'], OPEN_API_TAG))
      void reply.type('application/json; charset=utf-8').send(OPEN_API);
    else void reply.code(304).send();
  }

  /** Browsers request it on their own. */
  @Get('/favicon.ico')
  icon(@Res() reply: FastifyReply): void {
    void reply
      .header('Cache-Control', 'public, max-age=86400')
      .redirect('/docs/static/favicon-32x32.png', 302);
  }

  @Get(ERROR_PAGES)
  error(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    const code = request.routeOptions.url?.split('/').at(-1) as ErrorCode;
    void reply
      .type('text/html; charset=utf-8')
      .header('Cache-Control', MUST_REVALIDATE)
      .send(errorPage(code));
  }
}

/** A browser names text/html when a person types the address; programs do not. */
function wantsPage(accept: string | undefined): boolean {
  return accept !== undefined && /(?:^|,)\s*text\/html\s*(?:[;,]|$)/i.test(accept);
}
