import { Injectable } from '@nestjs/common';
import type { NatsConnection } from '@nats-io/transport-node';
import { ServiceError } from '@novacron/contracts/errors';
import { HostId } from '@novacron/contracts/ids';
import { subjectPattern } from '@novacron/contracts/subject';
import { serveDirect } from '@novacron/messaging/direct';
import { RequestDispatcher } from '@novacron/messaging/request-dispatcher';
import { Nats, ServiceLogger } from '@novacron/service-kit/inject';
import type { Logger } from '@novacron/telemetry/logger';
import type { z } from 'zod';

const QUEUE = 'orchestrator';
/** Each holds a connection to Postgres for a moment; a host that is refused tries again. */
const MAX_IN_FLIGHT = 128;

/** Receives requests of hosts on `hosts.<id>.<what>`. The host's id comes from the subject, never from the body. */
@Injectable()
export class HostRequests {
  readonly #dispatcher: RequestDispatcher;

  constructor(
    @Nats() private readonly nc: NatsConnection,
    @ServiceLogger() private readonly log: Logger,
  ) {
    this.#dispatcher = new RequestDispatcher({ maxInFlight: MAX_IN_FLIGHT, logger: log });
  }

  serve<Body extends z.ZodType>(
    what: string,
    body: Body,
    handle: (host: HostId, request: z.infer<Body>) => Promise<unknown>,
  ): void {
    serveDirect(this.nc, this.#dispatcher, {
      subject: subjectPattern('hosts', '*', what),
      queue: QUEUE,
      body,
      handle: (request, tokens) => handle(this.#hostId(tokens[1]), request),
    });
  }

  /** Receives nothing new; resolves when every request that was received is done. */
  drain(): Promise<void> {
    return this.#dispatcher.drain();
  }

  #hostId(token: string | undefined): HostId {
    const parsed = HostId.safeParse(token);
    if (parsed.success) return parsed.data;
    this.log.warn({ token }, 'host request refused: its subject names no host');
    throw new ServiceError('invalid_request', 'The subject names no host');
  }
}
