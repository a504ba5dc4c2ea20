import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { ServiceError } from '@novacron/contracts/errors';
import type { Position } from '@novacron/contracts/position';
import type { Caller } from '../reads/caller.js';
import type { Requester } from '../reads/requester.js';
import { ConsistencyTokens } from './consistency-token.js';
import { Positions } from './positions.js';

/** The position of a request, from its consistency token to the one of its answer. */
@Injectable()
export class RequestConsistency {
  constructor(
    private readonly tokens: ConsistencyTokens,
    private readonly positions: Positions,
  ) {}

  /** Starts a request at the last position of its caller. */
  resume(request: FastifyRequest, { credentialId }: Caller): void {
    request.position = this.positions.of(credentialId);
  }

  /** Moves a request to the position of its consistency token. @throws ServiceError `invalid_token` */
  takePresented(request: FastifyRequest): void {
    const presented = request.headers['novacron-consistency-token'];
    if (presented !== undefined) request.position = this.tokens.verify(String(presented));
  }

  /** Keeps a request's last position, and signs it. */
  end({ caller, position }: Requester, request: FastifyRequest): string | null {
    if (position !== null) {
      // Only a service's reply moves the present: a presented position may be of a lost timeline.
      if (position !== request.position) this.positions.observe(position);
      this.positions.remember(caller.credentialId, position);
    }
    return this.sign(position ?? this.positions.base);
  }

  /** {@link end} of a failed request. After a lost timeline the answer has no token, and the caller starts anew. */
  endFailed(request: FastifyRequest, error: ServiceError): string | null {
    const { caller, requester } = request;
    if (requester !== null) {
      this.end(requester, request);
      request.position = requester.position;
    }
    if (error.code !== 'history_lost' || caller === null)
      return this.sign(request.position ?? this.positions.base);
    this.positions.forget(caller.credentialId);
    return null;
  }

  /** Moves a request that the L1 answers to the entry's position. @returns the signed position */
  observe(request: FastifyRequest, { credentialId }: Caller, position: Position): string {
    if (position !== request.position) {
      request.position = position;
      this.positions.remember(credentialId, position);
    }
    return this.tokens.sign(position);
  }

  private sign(position: Position | null): string | null {
    return position === null ? null : this.tokens.sign(position);
  }
}
