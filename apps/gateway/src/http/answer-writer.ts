import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { RequestConsistency } from '../consistency/consistency.js';
import { writeAnswer, type Answer } from './answer.js';
import type { GatewayAdapter } from './gateway-adapter.js';
import { requesterOf } from './request.js';

/** Writes what the controller methods of operations return. */
@Injectable()
export class AnswerWriter implements OnModuleInit {
  constructor(
    private readonly adapterHost: HttpAdapterHost<GatewayAdapter>,
    private readonly consistency: RequestConsistency,
  ) {}

  onModuleInit(): void {
    this.adapterHost.httpAdapter.writeAnswersBy(this);
  }

  /** Writes an answer, with the consistency token of the position that its request has reached. */
  write(request: FastifyRequest, reply: FastifyReply, answer: Answer): FastifyReply {
    const token = this.consistency.end(requesterOf(request), request);
    return writeAnswer(request, reply, answer, token);
  }
}
