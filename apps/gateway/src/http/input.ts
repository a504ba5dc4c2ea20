import { createParamDecorator, Injectable, type ExecutionContext, type PipeTransform } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { OperationContract } from '@novacron/contracts/operation';
import type { Requester } from '../reads/requester.js';
import { BodyReader } from './body-reader.js';
import { parseInput, type ParsedInput } from './parse-input.js';

/** Reads the body and validates all parts of a request by its operation's schemas. */
@Injectable()
export class InputPipe implements PipeTransform<ExecutionContext, Promise<ParsedInput>> {
  constructor(private readonly bodies: BodyReader) {}

  async transform(context: ExecutionContext): Promise<ParsedInput> {
    const request = context.getArgByIndex<FastifyRequest>(0);
    const reply = context.getArgByIndex<FastifyReply>(1);
    const operation = request.operation as OperationContract;
    const body = operation.method === 'GET' ? undefined : await this.bodies.read(request, reply, operation);
    return parseInput(operation, request, reply, body);
  }
}

const input = createParamDecorator((_data: undefined, context: ExecutionContext) => context);

/** The parsed request: `@Input() { params, query, body }: InputOf<typeof createVm>`. */
export const Input = (): ParameterDecorator => input(InputPipe);

/** The {@link Requester} of the request, which calls services for its caller. */
export const CurrentRequester = createParamDecorator(
  (_data: undefined, context: ExecutionContext) =>
    context.getArgByIndex<FastifyRequest>(0).requester as Requester,
);
