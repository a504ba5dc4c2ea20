import { createParamDecorator, Injectable, type ExecutionContext, type PipeTransform } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { OperationContract } from '@novacron/contracts/operation';
import type { Requester } from '../reads/requester.js';
import { BodyReader } from './body-reader.js';
import { parseInput, type ParsedInput } from './parse-input.js';
import { requestedOperation, requesterOf } from './request.js';

/** Reads the body and validates all parts of a request by its operation's schemas. */
@Injectable()
export class InputPipe implements PipeTransform<ExecutionContext, ParsedInput | Promise<ParsedInput>> {
  constructor(private readonly bodies: BodyReader) {}

  transform(context: ExecutionContext): ParsedInput | Promise<ParsedInput> {
    const request = context.getArgByIndex<FastifyRequest>(0);
    const reply = context.getArgByIndex<FastifyReply>(1);
    const operation = requestedOperation(request);
    if (operation.method === 'GET') return parseInput(operation, request, reply, undefined);
    return this.#withBody(operation, request, reply);
  }

  async #withBody(
    operation: OperationContract,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<ParsedInput> {
    return parseInput(operation, request, reply, await this.bodies.read(request, reply, operation));
  }
}

const input = createParamDecorator((_data: undefined, context: ExecutionContext) => context);

/** The parsed request: `@Input() { params, query, body }: InputOf<typeof createVm>`. */
export const Input = (): ParameterDecorator => input(InputPipe);

/** The {@link Requester} of the request, which calls services for its caller. */
export const CurrentRequester = createParamDecorator(
  (_data: undefined, context: ExecutionContext): Requester =>
    requesterOf(context.getArgByIndex<FastifyRequest>(0)),
);
