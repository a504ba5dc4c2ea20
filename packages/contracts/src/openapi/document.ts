import { ERRORS, type ErrorCode } from '../errors.js';
import {
  MERGE_PATCH,
  takesKey,
  type AnswerContract,
  type ListStyle,
  type OperationContract,
} from '../operation.js';
import { PROBLEM_TYPE } from '../problem.js';
import { HEADERS, PARAMETERS } from './headers.js';
import { exampleOf } from './examples.js';
import { componentSchemas, inputSchema, outputSchema } from './schemas.js';

/** Headers with the caller's remaining rate. Long-lived operations consume none. */
const RATE = ['RateLimit', 'RateLimit-Policy'];
/** Errors of every operation. */
const EVERYWHERE: readonly ErrorCode[] = [
  'answer_too_large',
  'malformed_request',
  'unauthenticated',
  'forbidden',
  'history_lost',
  'invalid_request',
  'invalid_token',
  'rate_limited',
  'internal',
  'overloaded',
  'dependency_down',
  'deadline_exceeded',
  'draining',
];
const WITH_BODY: readonly ErrorCode[] = ['malformed_json', 'body_too_large', 'unsupported_media_type'];
const WITH_KEY: readonly ErrorCode[] = ['idempotency_in_progress', 'idempotency_mismatch'];

/** The OpenAPI 3.1 document of the operations, from the schemas that parse their requests. */
export function openApiDocument(operations: readonly OperationContract[], version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const op of operations) (paths[op.path] ??= {})[op.method.toLowerCase()] = operationOf(op);
  return {
    openapi: '3.1.0',
    info: {
      title: 'NovaCron',
      version,
      description:
        'A control plane for fleets of virtual machines. Errors are problem+json; decide by `code`. Every answer ' +
        'carries `NovaCron-Consistency-Token`: send the last one with the next request, and no read is older ' +
        'than your earlier reads and writes.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ token: [] }],
    tags: [...new Set(operations.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          description: 'An API token, `nvc_…`. The gateway does not accept tokens of an OIDC provider.',
        },
      },
      schemas: components,
      headers: HEADERS,
      parameters: PARAMETERS,
    },
  };
}

function operationOf(op: OperationContract): object {
  return {
    operationId: op.id,
    tags: [op.tag],
    summary: op.summary,
    ...(op.description === undefined ? {} : { description: op.description }),
    parameters: [
      ...parametersOf(op.params && inputSchema(op.params), 'path'),
      ...parametersOf(op.query && inputSchema(op.query), 'query', op.lists),
      ...(takesKey(op) ? [{ $ref: '#/components/parameters/Idempotency-Key' }] : []),
      ...[
        ...(op.headers ?? []),
        'NovaCron-Consistency-Token',
        'NovaCron-Consistency',
        'X-Request-Id',
        'traceparent',
      ].map((name) => ({ $ref: `#/components/parameters/${name}` })),
    ],
    ...(op.body === undefined
      ? {}
      : {
          requestBody: {
            required: op.bodyIsOptional !== true,
            content: {
              'application/json': withExample(inputSchema(op.body)),
              ...(op.mergePatch === undefined
                ? {}
                : { [MERGE_PATCH]: withExample(inputSchema(op.mergePatch)) }),
            },
          },
        }),
    responses: { ...answersOf(op), ...errorsOf(op) },
    'x-novacron-access': op.access,
  };
}

interface ObjectSchema {
  readonly properties?: Record<string, Record<string, unknown>>;
  readonly required?: readonly string[];
}

function parametersOf(
  schema: ObjectSchema | undefined,
  place: 'path' | 'query',
  lists: Readonly<Record<string, ListStyle>> = {},
): object[] {
  return Object.entries(schema?.properties ?? {}).map(([name, property]) => ({
    name,
    in: place,
    required: place === 'path' || (schema?.required ?? []).includes(name),
    schema: property,
    ...(place === 'path' ? { example: exampleOf(property, components, name) } : {}),
    ...(name in lists ? { style: 'form', explode: true } : {}),
  }));
}

function answersOf(op: OperationContract): Record<string, object> {
  return Object.fromEntries(
    Object.entries(op.answers).map(([status, answer]) => [
      status,
      {
        description: answer.description,
        headers: headerRefs([
          'X-Request-Id',
          'NovaCron-Consistency-Token',
          'NovaCron-Served-From',
          ...(op.longLived === true ? [] : RATE),
          ...(answer.headers ?? []),
        ]),
        ...contentOf(answer),
      },
    ]),
  );
}

const components = componentSchemas();

function withExample(schema: Record<string, unknown>): object {
  return { schema, example: exampleOf(schema, components) };
}

function contentOf({ schema, contentType }: AnswerContract): object {
  if (schema === undefined) return {};
  const json = { 'application/json': withExample(outputSchema(schema)) };
  return {
    content: contentType === undefined ? json : { [contentType]: { schema: { type: 'string' } }, ...json },
  };
}

function errorsOf(op: OperationContract): Record<string, object> {
  const codes = new Set([
    ...EVERYWHERE,
    ...(op.body === undefined ? [] : WITH_BODY),
    ...(takesKey(op) ? WITH_KEY : []),
    ...op.errors,
  ]);
  const byStatus = Map.groupBy([...codes].sort(), (code) => ERRORS[code].status);
  return Object.fromEntries(
    [...byStatus]
      .sort(([a], [b]) => a - b)
      .map(([status, of]) => [
        status,
        {
          description: of.map((code) => `\`${code}\`: ${ERRORS[code].title}.`).join(' '),
          headers: headerRefs(['X-Request-Id', 'NovaCron-Consistency-Token', ...errorHeaders(status)]),
          content: {
            [PROBLEM_TYPE]: {
              schema: {
                allOf: [{ $ref: '#/components/schemas/Problem' }, { properties: { code: { enum: of } } }],
              },
            },
          },
        },
      ]),
  );
}

function errorHeaders(status: number): string[] {
  if (status === 401) return ['WWW-Authenticate'];
  if (status === 429) return ['Retry-After', ...RATE];
  return status === 503 ? ['Retry-After'] : [];
}

function headerRefs(names: readonly string[]): object {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}
