import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyReply } from 'fastify';
import type { Answer } from './answer.js';
import type { AnswerWriter } from './answer-writer.js';

/**
 * Nest's Fastify adapter, which writes the {@link Answer} of an operation. An interceptor would do the same at a fifth
 * more CPU per `POST /vms` (decision 11).
 */
export class GatewayAdapter extends FastifyAdapter {
  #writer: AnswerWriter | undefined;

  writeAnswersBy(writer: AnswerWriter): void {
    this.#writer = writer;
  }

  override reply(...args: Parameters<FastifyAdapter['reply']>): ReturnType<FastifyAdapter['reply']> {
    const [response, body] = args;
    const request = 'request' in response ? response.request : undefined;
    if (this.#writer === undefined || !request?.requester) return super.reply(...args);
    return this.#writer.write(request, response as FastifyReply, body as Answer);
  }
}
