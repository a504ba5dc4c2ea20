import { Job, JobPage } from '../jobs.js';
import { Host, HostPage, Image, ImagePage, Quota, Zone, ZonePage } from '../infrastructure.js';
import { LatestResult, PushMetrics, PushResult, RangeResult } from '../metrics.js';
import { Problem } from '../problem.js';
import {
  ActionOptions,
  CreateVm,
  MergePatchVm,
  PatchVm,
  Placement,
  Vm,
  VmConfig,
  VmPage,
} from '../vms.js';
import { Me } from '../tenancy.js';
import { z } from 'zod';
import { EXAMPLES } from './examples.js';

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
/** `NewVmConfig` is strict, as what is sent has to be; answers are open. */
const INPUT = { NewVmConfig: VmConfig, CreateVm, PatchVm, MergePatchVm, ActionOptions, PushMetrics };

/** Names of components, beside what `describe` and `meta` say of a schema. */
class Components extends z.core.$ZodRegistry<{ id?: string }> {
  override get<S extends z.core.$ZodType>(schema: S): z.core.$replace<{ id?: string }, S> {
    const { id: _id, ...said } = z.globalRegistry.get(schema) ?? {};
    return { ...said, ...super.get(schema) } as z.core.$replace<{ id?: string }, S>;
  }
}

const named = { output: namesOf(OUTPUT), input: namesOf(INPUT) };

function namesOf(schemas: Readonly<Record<string, z.ZodType>>): Components {
  const names = new Components();
  for (const [id, schema] of Object.entries(schemas)) names.add(schema, { id });
  return names;
}

type JsonSchema = Record<string, unknown>;

const UUID = {
  type: 'string',
  format: 'uuid',
  description: 'A UUID (RFC 9562). Answers have it in lower case; requests may have it in either.',
} as const;

/** `components.schemas`. */
export function componentSchemas(): Record<string, JsonSchema> {
  const components: Record<string, JsonSchema> = { Uuid: UUID };
  for (const [id, schema] of Object.entries(OUTPUT))
    components[id] = withExample(id, definition(schema, 'output', id));
  for (const [id, schema] of Object.entries(INPUT))
    components[id] = withExample(id, definition(schema, 'input', id));
  // A refinement, which zod does not write into JSON Schema.
  for (const id of ['PatchVm', 'MergePatchVm']) if (components[id]) components[id]['minProperties'] = 1;
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
  const name = named[io].get(schema)?.id;
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
    metadata: named[io],
    unrepresentable: 'any',
    override: ({ jsonSchema }) => simplify(jsonSchema as JsonSchema, io),
  }) as JsonSchema;
}

/**
 * Ids by reference. Answers are open: a later version may add fields, so a client must take those that it does not
 * know. The bounds of exact numbers are left out.
 */
function simplify(schema: JsonSchema, io: 'input' | 'output'): void {
  if (schema['format'] === 'uuid') {
    for (const key of ['type', 'format', 'pattern']) delete schema[key];
    schema['$ref'] = '#/components/schemas/Uuid';
  }
  if (io === 'output' && schema['additionalProperties'] === false) delete schema['additionalProperties'];
  if (schema['minimum'] === Number.MIN_SAFE_INTEGER) delete schema['minimum'];
  if (schema['maximum'] === Number.MAX_SAFE_INTEGER) delete schema['maximum'];
}

/** zod puts named schemas into `$defs`; here they are components. */
function clean({ $schema: _schema, $defs: _defs, ...schema }: JsonSchema): JsonSchema {
  const text = JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/');
  return JSON.parse(text) as JsonSchema;
}

function withExample(id: string, schema: JsonSchema): JsonSchema {
  return id in EXAMPLES ? { ...schema, examples: [EXAMPLES[id]] } : schema;
}
