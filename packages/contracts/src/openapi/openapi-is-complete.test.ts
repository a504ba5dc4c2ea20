import { describe, expect, it } from '@jest/globals';
import { OFFERED_ACTIONS, VM_ACTIONS } from '@novacron/vm-lifecycle/actions';
import { ERRORS } from '../errors.js';
import { API_VERSION, operations as contracts } from '../operations/all.js';
import { OFFERED_VERBS } from '../operations/vms.js';
import { openApiDocument } from './document.js';

interface Document {
  paths: Record<
    string,
    Record<
      string,
      {
        operationId: string;
        requestBody?: { content: Record<string, { schema?: unknown }> };
        responses: Record<string, { headers?: object; content?: Record<string, { schema?: unknown }> }>;
        parameters: { name?: string; in?: string }[];
      }
    >
  >;
  components: Record<string, Record<string, unknown>>;
}
const document = openApiDocument(contracts, API_VERSION) as Document;
const operations = Object.values(document.paths).flatMap((path) => Object.values(path));

describe('the OpenAPI document', () => {
  it('resolves every reference within itself', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(
      (match) => match[1] as string,
    );
    expect(references.length).toBeGreaterThan(100);
    const missing = references.filter((reference) => {
      const found = reference
        .split('/')
        .reduce<unknown>((node, key) => (node as Record<string, unknown> | undefined)?.[key], document);
      return found === undefined;
    });
    expect(missing).toEqual([]);
  });

  it('has a valid example for each operation', () => {
    for (const route of contracts) {
      const operation = document.paths[route.path]?.[route.method.toLowerCase()] as unknown as {
        requestBody?: { content: Record<string, { example?: unknown }> };
        responses: Record<string, { content?: Record<string, { example?: unknown }> }>;
        parameters: { in?: string; example?: unknown; name?: string }[];
      };
      const examples = [];
      for (const [status, { schema }] of Object.entries(route.answers)) {
        if (schema === undefined) continue;
        const example = operation.responses[status]?.content?.['application/json']?.example;
        expect([route.id, schema.safeParse(example).error]).toEqual([route.id, undefined]);
        examples.push(example);
      }
      const bodies = { 'application/json': route.body, 'application/merge-patch+json': route.mergePatch };
      for (const [type, schema] of Object.entries(bodies)) {
        if (schema === undefined) continue;
        const example = operation.requestBody?.content[type]?.example;
        expect([route.id, type, schema.safeParse(example).error]).toEqual([route.id, type, undefined]);
        examples.push(example);
      }
      for (const { in: where, example } of operation.parameters) if (where === 'path') examples.push(example);
      expect([route.id, examples.length > 0, examples.includes(undefined)]).toEqual([route.id, true, false]);
    }
  });

  it('names the schema of every answer and body', () => {
    const content = operations.flatMap(({ operationId, requestBody, responses }) =>
      [requestBody, ...Object.values(responses)].flatMap((part) =>
        Object.entries(part?.content ?? {}).map(([type, { schema }]) => ({ operationId, type, schema })),
      ),
    );
    const json = content.filter(({ type }) => type === 'application/json' || type.includes('patch'));
    expect(json.length).toBeGreaterThan(operations.length);
    for (const { operationId, schema } of json)
      expect([operationId, Object.keys(schema as object)]).toEqual([operationId, ['$ref']]);
  });

  it('has a component for each kind of id, and one for the format of all ids', () => {
    expect(JSON.stringify(document).match(/"format":"uuid"/g)).toHaveLength(1);
    const uuid = { $ref: '#/components/schemas/Uuid' };
    for (const id of ['VmId', 'JobId', 'HostId', 'TenantId'])
      expect(document.components['schemas']).toHaveProperty(id, expect.objectContaining(uuid));
  });

  it('describes how tags are written', () => {
    const list = document.paths['/api/v1/vms']?.['get'] as {
      parameters: { name?: string; schema?: object }[];
    };
    const tag = list.parameters.find(({ name }) => name === 'tag')?.schema;
    expect(JSON.stringify(tag)).toContain('`key=value`');
  });

  it('keeps answers open to new fields, and bodies closed', () => {
    const { schemas } = document.components;
    const closed = (name: string) => JSON.stringify(schemas?.[name]).includes('"additionalProperties":false');
    expect(
      Object.keys(schemas ?? {})
        .filter(closed)
        .sort(),
    ).toEqual([
      'ActionOptions',
      'CreateVm',
      'HostActionOptions',
      'InviteHost',
      'MergePatchVm',
      'NewRestartPolicy',
      'NewVmConfig',
      'PatchVm',
      'PushMetrics',
    ]);
    const answers = JSON.stringify(operations.map(({ responses }) => responses));
    expect(answers).not.toContain('"additionalProperties":false');
  });

  it('names every operation once', () => {
    const ids = operations.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.sort()).toEqual(contracts.map(({ id }) => id).sort());
  });

  it('declares every parameter of a path', () => {
    for (const [path, methods] of Object.entries(document.paths)) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      for (const operation of Object.values(methods)) {
        const declared = operation.parameters
          .filter((parameter) => parameter.in === 'path')
          .map(({ name }) => name);
        expect([path, declared]).toEqual([path, inPath]);
      }
    }
  });

  it('shows the errors of each operation as problem+json, and the consistency token on each answer', () => {
    for (const { operationId, responses } of operations) {
      for (const status of ['401', '403', '422', '500', '503'])
        expect([operationId, Object.keys(responses)]).toEqual([
          operationId,
          expect.arrayContaining([status]),
        ]);
      for (const [status, response] of Object.entries(responses)) {
        if (Number(status) >= 400) expect(response.content).toHaveProperty(['application/problem+json']);
        if (operationId !== 'pushMetrics')
          expect(response.headers).toHaveProperty('NovaCron-Consistency-Token');
      }
    }
  });

  it('contains the metadata of schemas', () => {
    const parameter = (operationId: string, name: string) =>
      operations
        .find((operation) => operation.operationId === operationId)
        ?.parameters.find((found) => found.name === name);
    expect(parameter('actOnVm', 'verb')).toMatchObject({ schema: { enum: OFFERED_VERBS } });
    expect(parameter('listVms', 'updatedSince')).toMatchObject({
      schema: { description: expect.stringContaining('No change is missed') },
    });
  });

  it('mentions each error code of an operation', () => {
    const text = JSON.stringify(document);
    // The router answers it for a path with other methods, so no operation has it.
    const ofNoOperation = 'method_not_allowed';
    for (const code of Object.keys(ERRORS)) if (code !== ofNoOperation) expect(text).toContain(`"${code}"`);
  });

  it('names no action without support by a driver', () => {
    // Except in the list of capabilities that a driver may announce.
    const text = JSON.stringify(document, (key, value: unknown) => (key === 'capabilities' ? null : value));
    expect(text).toContain('"force-stop"');
    for (const action of VM_ACTIONS.filter((one) => !OFFERED_ACTIONS.includes(one)))
      expect(text).not.toMatch(new RegExp(`"${action}"`));
  });
});
