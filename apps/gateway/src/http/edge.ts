import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '@novacron/contracts/errors';
import { BODY_LIMIT, JSON_LIMITS } from '@novacron/contracts/operation';
import type { Position } from '@novacron/contracts/position';
import type {} from '@novacron/telemetry/http';
import type { Logger } from '@novacron/telemetry/logger';
import { authorize } from '../auth/access.js';
import { BodyBudget, isLargeRest } from './body-budget.js';
import type { Rpc } from '../reads/requester.js';
import type { Caller } from '../reads/caller.js';
import { compressAnswers } from './compression.js';
import type { ConsistencyTokens } from '../consistency/consistency-token.js';
import { takeJsonOnly } from './json-body.js';
import { openCall } from './parse-input.js';
import type { Positions } from '../consistency/positions.js';
import { asServiceError } from './problem.js';
import { repeatedHeader } from './repeated-header.js';
import { preferredWait } from './prefer.js';
import { decodeBody } from './request-encoding.js';
import type { AnyRoute } from './route.js';
import { sendAnswer, sendProblem } from './answer.js';
import type { RateLimits } from '../limits/rate-limits.js';
import type { TokenBucket } from '../limits/token-bucket.js';
import { HotPath } from '../hot-reads/hot-reads.js';
import type { Services } from './services.js';
import type { TokenVerifier } from '../auth/token-verifier.js';

declare module 'fastify' {
  interface FastifyInstance {
    refuseUnrouted(request: FastifyRequest, reply: FastifyReply, error: Error): void;
  }
  interface FastifyRequest {
    /** Who asks; null before authentication and on public routes. */
    caller: Caller | null;
    /** What the answer's consistency token will say at least. */
    position: Position | null;
    /** Its caller asked to wait: its time is measured apart (packages/telemetry). */
    waits: boolean;
  }
}

export interface EdgeParts {
  readonly verifier: TokenVerifier;
  readonly tokens: ConsistencyTokens;
  readonly positions: Positions;
  readonly limits: RateLimits;
  readonly rpc: Rpc;
  readonly services: Services;
  /** Its own one unless given. */
  readonly bodies?: BodyBudget;
  readonly logger: Logger;
}

/** Stands between Fastify and the routes: who is it, may they, parse, handle, answer. */
export class Edge {
  private readonly hot: HotPath;
  private readonly bodies: BodyBudget;

  constructor(private readonly parts: EdgeParts) {
    const { tokens, positions, services } = parts;
    this.bodies = parts.bodies ?? new BodyBudget();
    this.hot = new HotPath({ tokens, positions, reads: services.reads, draining: services.draining });
  }

  /** Adds what holds for every request of this Fastify instance. Before any route. */
  prepare(fastify: FastifyInstance): void {
    fastify.decorateRequest('caller', null);
    fastify.decorateRequest('position', null);
    fastify.addHook('onRequest', (request, reply, done) => {
      reply.header('X-Request-Id', request.id);
      const repeated = repeatedHeader(request.raw.rawHeaders);
      if (repeated === undefined) done();
      else this.refuse(request, reply, new ServiceError('malformed_request', `${repeated} was sent twice.`));
    });
    fastify.decorate('refuseUnrouted', this.refuseUnrouted.bind(this));
    compressAnswers(fastify);
  }

  /** Answers, counts and logs a request that Fastify refuses before any hook: its path is not a URL. */
  private refuseUnrouted(request: FastifyRequest, reply: FastifyReply, error: Error): void {
    request.server.observeUnrouted(request, reply);
    request.caller = null;
    request.position = null;
    this.parts.logger.info({ requestId: request.id, client: request.ip, err: error }, 'request not routed');
    this.refuse(request, reply, error);
  }

  /** Answers a request without a verified caller, and counts it against its address. */
  private refuse(request: FastifyRequest, reply: FastifyReply, error: Error): void {
    try {
      this.countAnonymous(request);
      this.fail(request, reply, error);
    } catch (limited) {
      this.fail(request, reply, limited);
    }
  }

  /** Adds the API's routes, which take JSON and answer errors as problem+json. */
  register(fastify: FastifyInstance, routes: readonly AnyRoute[]): void {
    takeJsonOnly(fastify);
    fastify.setErrorHandler((error, request, reply) => this.fail(request, reply, error));
    for (const route of routes) {
      fastify.route({
        method: route.method,
        url: route.path.replaceAll(/\{(\w+)\}/g, ':$1'),
        bodyLimit: route.bodyLimit ?? BODY_LIMIT,
        config: { longLived: route.longLived === true, jsonLimits: route.jsonLimits ?? JSON_LIMITS },
        preParsing: (request, reply, payload, done) => {
          const most = route.bodyLimit ?? BODY_LIMIT;
          const grow = this.bodies.reserve(request, reply, request.caller as Caller, most);
          // A body without a reservation means that its client has left.
          if (grow !== null) decodeBody(route, request, reply, payload, grow, done);
        },
        onRequest: (request, reply, done) => this.admit(route, request, reply, done),
        handler: (request, reply) => this.handle(route, request, reply),
      });
    }
  }

  /** Any error as an answer, with the consistency token that the request has come to. */
  fail(request: FastifyRequest, reply: FastifyReply, thrown: unknown): FastifyReply {
    const error = asServiceError(thrown);
    this.log(request, error);
    if (isLargeRest(request)) reply.header('Connection', 'close');
    const bucket = error.code === 'rate_limited' ? this.parts.limits.of(request.caller) : undefined;
    if (bucket !== undefined) tellLimit(reply, bucket);
    return sendProblem(request, reply, error, this.sign(this.positionAfter(request, error)));
  }

  /** Counts a request that needs no token against its address. @throws ServiceError `rate_limited` */
  countAnonymous(request: FastifyRequest): void {
    this.parts.limits.takeAnonymous(request.ip);
  }

  /**
   * Authenticates a request that no route takes. A good consistency token comes back with the answer; a bad one changes
   * nothing about the answer.
   * @throws ServiceError `unauthenticated`, `rate_limited`
   */
  async authenticate(request: FastifyRequest): Promise<void> {
    this.parts.limits.take(this.identify(request, await this.verify(request)));
    try {
      this.takePosition(request);
    } catch (error) {
      if (!(error instanceof ServiceError) || error.code !== 'invalid_token') throw error;
    }
  }

  /** Authenticates, takes the consistency token, authorizes, and answers what the L1 has; without a turn of the event loop where the token is known. */
  private admit(
    route: AnyRoute,
    request: FastifyRequest,
    reply: FastifyReply,
    done: (error?: Error) => void,
  ): void {
    const enter = (found: Caller | null): void => {
      const caller = this.identify(request, found);
      // Waits and streams cost nothing: they are few connections, not many requests.
      const bucket = route.longLived === true ? null : this.parts.limits.take(caller);
      this.takePosition(request);
      authorize(caller, route.access);
      if (route.question !== undefined && this.hot.answer(request, reply, caller, bucket)) return;
      if (bucket !== null) tellLimit(reply, bucket);
      done();
    };
    try {
      const caller = this.verify(request);
      if (caller instanceof Promise) caller.then(enter).catch(done);
      else enter(caller);
    } catch (error) {
      done(error as Error);
    }
  }

  private verify(request: FastifyRequest): Caller | null | Promise<Caller | null> {
    const { verifier, limits } = this.parts;
    return verifier.verifyHeader(request.headers.authorization, () => limits.refuseSpent(request.ip));
  }

  private identify(request: FastifyRequest, caller: Caller | null): Caller {
    if (caller === null) {
      this.countAnonymous(request);
      const missing = request.headers.authorization === undefined;
      throw new ServiceError(
        'unauthenticated',
        missing ? 'Send Authorization: Bearer <token>.' : 'The token is not valid.',
      );
    }
    request.caller = caller;
    request.position = this.parts.positions.of(caller.credentialId);
    return caller;
  }

  /** After the request is counted: a wrong token costs as much as a right one. @throws ServiceError `invalid_token` */
  private takePosition(request: FastifyRequest): void {
    const presented = request.headers['novacron-consistency-token'];
    if (presented === undefined) return;
    request.position = this.parts.tokens.verify(String(presented));
  }

  private async handle(route: AnyRoute, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const caller = request.caller as Caller;
    request.waits = route.headers?.includes('Prefer') === true && preferredWait(request.headers.prefer) > 0;
    const call = openCall(route, request, reply, caller, this.parts.rpc);
    const { positions } = this.parts;
    try {
      const { services } = this.parts;
      if (route.question) services.reads.learn(request.raw.url as string, route.question(call as never));
      const answer = await route.handle(call as never, services);
      return sendAnswer(reply, answer, call, this.sign(call.position ?? positions.base));
    } finally {
      // Only what a service said moves the present; what was presented may be of a history that was lost.
      if (call.position !== null && call.position !== request.position) positions.saw(call.position);
      request.position = call.position;
      if (call.position !== null) positions.remember(caller.credentialId, call.position);
    }
  }

  /** A history that was lost must not be handed out again: that one answer carries no token. */
  private positionAfter(request: FastifyRequest, error: ServiceError): Position | null {
    const { positions } = this.parts;
    if (error.code !== 'history_lost' || request.caller === null) return request.position ?? positions.base;
    positions.forget(request.caller.credentialId);
    return null;
  }

  private log(request: FastifyRequest, error: ServiceError): void {
    if (error.code !== 'internal' && error.code !== 'dependency_down') return;
    const facts = {
      requestId: request.id,
      method: request.method,
      endpoint: request.routeOptions.url,
      client: request.ip,
      err: error.cause ?? error,
    };
    if (error.code === 'internal') this.parts.logger.error(facts, 'unexpected error');
    else this.parts.logger.warn(facts, error.detail);
  }

  private sign(position: Position | null): string | null {
    return position === null ? null : this.parts.tokens.sign(position);
  }
}

/** What is left to this caller (draft-ietf-httpapi-ratelimit-headers). */
function tellLimit(reply: FastifyReply, bucket: TokenBucket): void {
  reply.header('RateLimit-Policy', bucket.policy).header('RateLimit', bucket.state());
}
