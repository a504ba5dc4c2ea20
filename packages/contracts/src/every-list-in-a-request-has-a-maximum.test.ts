import { describe, expect, it } from '@jest/globals';
import * as agents from './agents.js';
import { cacheRpc } from './cache-stats.js';
import { WireRequest, type RpcContract } from './envelope.js';
import { fetchOrchestratorEvents } from './events.js';
import { infrastructureRpc } from './infrastructure.js';
import { jobsRpc } from './jobs.js';
import { metricsRpc } from './metrics.js';
import { vmsRpc } from './vms.js';
import { z } from 'zod';
import { operations } from './operations/all.js';

/** The fields of zod's definitions that contain other schemas. */
interface Definition {
  readonly type: string;
  readonly shape?: Record<string, z.ZodType>;
  readonly options?: readonly z.ZodType[];
  readonly checks?: readonly { readonly _zod: { readonly def: { readonly check: string } } }[];
}

/** The paths of arrays and records without a maximum. */
function unbounded(schema: z.ZodType, path: string): string[] {
  const def = schema.def as unknown as Definition & Record<string, z.ZodType | undefined>;
  const inner = ['innerType', 'element', 'valueType', 'in', 'out']
    .map((name) => def[name])
    .filter((child) => child instanceof z.ZodType)
    .flatMap((child) => unbounded(child, `${path}/*`));
  const fields = Object.entries(def.shape ?? {}).flatMap(([name, field]) =>
    unbounded(field, `${path}/${name}`),
  );
  const options = (def.options ?? []).flatMap((option) => unbounded(option, path));
  const own =
    (def.type === 'array' && !def.checks?.some((check) => check._zod.def.check === 'max_length')) ||
    (def.type === 'record' && schema.meta()?.['maxProperties'] === undefined);
  return [...(own ? [path] : []), ...inner, ...fields, ...options];
}

const contracts: RpcContract[] = [
  ...Object.values(vmsRpc),
  ...Object.values(jobsRpc),
  ...Object.values(infrastructureRpc),
  ...Object.values(metricsRpc),
  ...Object.values(cacheRpc),
  fetchOrchestratorEvents,
];
const schemas: (readonly [string, z.ZodType])[] = [
  ...operations.flatMap(({ id, body, query }) => [
    ...(body === undefined ? [] : [[`${id} body`, body] as const]),
    ...(query === undefined ? [] : [[`${id} query`, query] as const]),
  ]),
  ...contracts.map(({ subject, body }) => [subject, body] as const),
  ...Object.entries(agents).flatMap(([name, value]) =>
    value instanceof z.ZodType ? [[name, value] as const] : [],
  ),
  ['envelope', WireRequest],
];

describe('the search for lists without a maximum', () => {
  it('finds nested lists', () => {
    const list = z.array(z.string());
    expect(unbounded(z.object({ a: list.optional(), b: z.array(list).max(3).default([]) }), '')).toEqual([
      '/a/*',
      '/b/*/*',
    ]);
    expect(unbounded(z.union([z.object({ c: z.record(z.string(), z.string()) }), z.string()]), '')).toEqual([
      '/c',
    ]);
  });
});

describe('a list in a request', () => {
  it.each(schemas)('has a maximum: %s', (name, schema) => {
    expect(unbounded(schema, name)).toEqual([]);
  });
});
