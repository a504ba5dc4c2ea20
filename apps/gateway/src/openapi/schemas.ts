import { Job, JobPage } from '@novacron/contracts/jobs';
import { Host, HostPage, Image, ImagePage, Quota, Zone, ZonePage } from '@novacron/contracts/infrastructure';
import { LatestResult, PushMetrics, PushResult, RangeResult } from '@novacron/contracts/metrics';
import { Problem } from '@novacron/contracts/problem';
import {
  ActionOptions,
  CreateVm,
  MergePatchVm,
  PatchVm,
  Placement,
  Vm,
  VmConfig,
  VmPage,
} from '@novacron/contracts/vms';
import { z } from 'zod';
import { Me } from '../me/routes.js';

/** Schemas with a name in the document: what is answered, and what is sent. */
const OUTPUT = {
  Vm,
  VmPage,
  VmConfig,
  Job,
  JobPage,
  Host,
  HostPage,
  Zone,
  ZonePage,
  Image,
  ImagePage,
  Quota,
  Placement,
  PushResult,
  RangeResult,
  LatestResult,
  Me,
  Problem,
};
const INPUT = { CreateVm, PatchVm, MergePatchVm, ActionOptions, PushMetrics };

/** Names of components, beside what `describe` and `meta` say of a schema. */
class Components extends z.core.$ZodRegistry<{ id?: string }> {
  override get<S extends z.core.$ZodType>(schema: S): z.core.$replace<{ id?: string }, S> {
    const { id: _id, ...said } = z.globalRegistry.get(schema) ?? {};
    return { ...said, ...super.get(schema) } as z.core.$replace<{ id?: string }, S>;
  }
}

const named = new Components();
for (const [id, schema] of Object.entries({ ...OUTPUT, ...INPUT })) named.add(schema, { id });

type JsonSchema = Record<string, unknown>;

/** `components.schemas`. */
export function componentSchemas(): Record<string, JsonSchema> {
  const components: Record<string, JsonSchema> = {};
  for (const [id, schema] of Object.entries(OUTPUT)) components[id] = definition(schema, 'output', id);
  for (const [id, schema] of Object.entries(INPUT)) components[id] = definition(schema, 'input', id);
  return components;
}

/** A schema of what is sent, by reference where it has a name. */
export function inputSchema(schema: z.ZodType): JsonSchema {
  return convert(schema, 'input');
}

/** A schema of what is answered, by reference where it has a name. */
export function outputSchema(schema: z.ZodType): JsonSchema {
  return convert(schema, 'output');
}

function convert(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const name = named.get(schema)?.id;
  return name === undefined ? clean(raw(schema, io)) : { $ref: `#/components/schemas/${name}` };
}

/** The schema of a name itself; names within it stay references. */
function definition(schema: z.ZodType, io: 'input' | 'output', name: string): JsonSchema {
  return clean((raw(schema, io).$defs as Record<string, JsonSchema>)[name] as JsonSchema);
}

function raw(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  return z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io,
    metadata: named,
    unrepresentable: 'any',
    // What `describe` and `meta` say stands in zod's own registry.
    override: ({ zodSchema, jsonSchema }) => {
      Object.assign(jsonSchema, z.globalRegistry.get(zodSchema as unknown as z.ZodType));
    },
  }) as JsonSchema;
}

/** zod puts named schemas into `$defs`; here they are components. */
function clean({ $schema: _schema, $defs: _defs, ...schema }: JsonSchema): JsonSchema {
  const text = JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/');
  return JSON.parse(text) as JsonSchema;
}
