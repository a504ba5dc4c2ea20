import { ERRORS, type ErrorCode } from '../errors.js';
import { MERGE_PATCH, takesKey, type AnswerContract, type OperationContract } from '../operation.js';
import { PROBLEM_TYPE } from '../problem.js';
import { HEADERS, PARAMETERS } from './headers.js';
import { exampleOf } from './examples.js';
import { componentSchemas, inputSchema, outputSchema } from './schemas.js';

/** Of what is left of the caller's rate; waits and streams cost none. */
const RATE = ['RateLimit', 'RateLimit-Policy'];
/** What any route may answer, whatever it does. */
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

/** The OpenAPI 3.1 document of these routes: the same schemas that parse the requests. */
export function openApiDocument(routes: readonly OperationContract[], version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) (paths[route.path] ??= {})[route.method.toLowerCase()] = operation(route);
  return {
    openapi: '3.1.0',
    info: {
      title: 'NovaCron',
      version,
      description:
        'A control plane for fleets of virtual machines. Errors are problem+json; decide by `code`. Every answer ' +
        'carries `NovaCron-Consistency-Token`: send the last one with the next request, and no read is older ' +
        'than what you have seen or written.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ token: [] }],
    tags: [...new Set(routes.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          description: 'An API token, `nvc_…`. Tokens of an OIDC provider are not taken yet.',
        },
      },
      schemas: components,
      headers: HEADERS,
      parameters: PARAMETERS,
    },
  };
}

function operation(route: OperationContract): object {
  return {
    operationId: route.id,
    tags: [route.tag],
    summary: route.summary,
    ...(route.description === undefined ? {} : { description: route.description }),
    parameters: [
      ...parametersOf(route.params && inputSchema(route.params), 'path', {}, route.path.split('/')[3]),
      ...parametersOf(route.query && inputSchema(route.query), 'query', route.lists ?? {}),
      ...(takesKey(route) ? [{ $ref: '#/components/parameters/Idempotency-Key' }] : []),
      ...[
        ...(route.headers ?? []),
        'NovaCron-Consistency-Token',
        'NovaCron-Consistency',
        'X-Request-Id',
        'traceparent',
      ].map((name) => ({ $ref: `#/components/parameters/${name}` })),
    ],
    ...(route.body === undefined
      ? {}
      : {
          requestBody: {
            required: route.bodyIsOptional !== true,
            content: {
              'application/json': withExample(inputSchema(route.body)),
              ...(route.mergePatch === undefined
                ? {}
                : { [MERGE_PATCH]: withExample(inputSchema(route.mergePatch)) }),
            },
          },
        }),
    responses: { ...answersOf(route), ...errorsOf(route) },
    'x-novacron-access': route.access,
  };
}

interface ObjectSchema {
  readonly properties?: Record<string, object>;
  readonly required?: readonly string[];
}

function parametersOf(
  schema: ObjectSchema | undefined,
  where: 'path' | 'query',
  lists: Record<string, string>,
  noun = '',
): object[] {
  return Object.entries(schema?.properties ?? {}).map(([name, property]) => ({
    name,
    in: where,
    required: where === 'path' || (schema?.required ?? []).includes(name),
    schema: property,
    ...(where === 'path'
      ? {
          example: exampleOf(
            property as Record<string, unknown>,
            components,
            name === 'id' ? IDS[noun] : name,
          ),
        }
      : {}),
    ...(name in lists ? { style: 'form', explode: true } : {}),
  }));
}

function answersOf(route: OperationContract): Record<string, object> {
  return Object.fromEntries(
    Object.entries(route.answers).map(([status, answer]) => [
      status,
      {
        description: answer.description,
        headers: headerRefs([
          'X-Request-Id',
          'NovaCron-Consistency-Token',
          'NovaCron-Served-From',
          ...(route.longLived === true ? [] : RATE),
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

/** What `{id}` in a path is an id of. */
const IDS: Readonly<Record<string, string>> = { jobs: 'jobId', hosts: 'hostId', tenants: 'tenantId' };

function contentOf({ schema, contentType }: AnswerContract): object {
  if (schema === undefined) return {};
  const json = { 'application/json': withExample(outputSchema(schema)) };
  return {
    content: contentType === undefined ? json : { [contentType]: { schema: { type: 'string' } }, ...json },
  };
}

function errorsOf(route: OperationContract): Record<string, object> {
  const codes = new Set([
    ...EVERYWHERE,
    ...(route.body === undefined ? [] : WITH_BODY),
    ...(takesKey(route) ? WITH_KEY : []),
    ...route.errors,
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
