import { z } from 'zod';
import { CacheServiceStats, CacheStats, GatewayCacheStats } from '../cache-stats.js';
import { Condition } from '../common.js';
import { HostId, JobId, TenantId, VmId } from '../ids.js';
import {
  Capacity,
  Host,
  HostActionOptions,
  HostDrain,
  HostInvite,
  HostPage,
  HostRecord,
  Image,
  ImagePage,
  InviteHost,
  Overcommit,
  Quota,
  Zone,
  ZonePage,
} from '../infrastructure.js';
import { Job, JobPage, JobStepRun } from '../jobs.js';
import { IntakeResult, LatestResult, PushMetrics, PushResult, RangeResult } from '../metrics.js';
import { Problem } from '../problem.js';
import { Replication, ReplicationServer, ServiceReplication } from '../replication.js';
import { Me } from '../tenancy.js';
import {
  ActionOptions,
  ConsoleLog,
  CreateVm,
  MergePatchVm,
  PatchVm,
  Placement,
  RestartPolicy,
  Vm,
  VmConfig,
  VmPage,
  VmTask,
} from '../vms.js';
import { EXAMPLES } from './examples.js';

/** Ids by the name of their component. Requests and answers share them. */
const IDS = { VmId, JobId, HostId, TenantId };

/** Answers by the name of their component. */
const OUTPUT = {
  Vm,
  VmPage,
  VmConfig,
  VmTask,
  RestartPolicy,
  Condition,
  ConsoleLog,
  Placement,
  Job,
  JobPage,
  JobStepRun,
  Host,
  HostPage,
  HostDrain,
  HostRecord,
  HostInvite,
  Capacity,
  Overcommit,
  Zone,
  ZonePage,
  Image,
  ImagePage,
  Quota,
  Me,
  PushResult,
  RangeResult,
  LatestResult,
  IntakeResult,
  CacheStats,
  GatewayCacheStats,
  CacheServiceStats,
  Replication,
  ServiceReplication,
  ReplicationServer,
  Problem,
};

/** Bodies of requests by the name of their component. They are strict. A schema that is also answered has a second name. */
const INPUT = {
  CreateVm,
  NewVmConfig: VmConfig,
  NewRestartPolicy: RestartPolicy,
  PatchVm,
  MergePatchVm,
  ActionOptions,
  InviteHost,
  HostActionOptions,
  PushMetrics,
};

type Direction = 'input' | 'output';
type JsonSchema = Record<string, unknown>;

/** The names of components, and the metadata of `describe` and `meta`. */
class Components extends z.core.$ZodRegistry<{ id?: string }> {
  constructor(schemas: Readonly<Record<string, z.ZodType>>) {
    super();
    for (const [id, schema] of Object.entries(schemas)) this.add(schema, { id });
  }

  override get<S extends z.core.$ZodType>(schema: S): z.core.$replace<{ id?: string }, S> {
    const { id: _id, ...metadata } = z.globalRegistry.get(schema) ?? {};
    return { ...metadata, ...super.get(schema) } as z.core.$replace<{ id?: string }, S>;
  }
}

const NAMES: Readonly<Record<Direction, Components>> = {
  output: new Components({ ...OUTPUT, ...IDS }),
  input: new Components({ ...INPUT, ...IDS }),
};

const UUID = {
  type: 'string',
  format: 'uuid',
  description: 'A UUID (RFC 9562). Answers have it in lower case; requests may have it in either.',
} as const;

/** `components.schemas`. */
export function componentSchemas(): Record<string, JsonSchema> {
  const components: Record<string, JsonSchema> = { Uuid: UUID };
  for (const [id, schema] of Object.entries({ ...IDS, ...OUTPUT }))
    components[id] = withExample(id, definition(schema, 'output', id));
  for (const [id, schema] of Object.entries(INPUT))
    components[id] = withExample(id, definition(schema, 'input', id));
  // A refinement, which zod does not write into JSON Schema.
  for (const id of ['PatchVm', 'MergePatchVm']) if (components[id]) components[id]['minProperties'] = 1;
  return components;
}

/** The JSON Schema of a part of a request. A named schema becomes a reference. */
export function inputSchema(schema: z.ZodType): JsonSchema {
  return convert(schema, 'input');
}

/** The JSON Schema of an answer. A named schema becomes a reference. */
export function outputSchema(schema: z.ZodType): JsonSchema {
  return convert(schema, 'output');
}

function convert(schema: z.ZodType, direction: Direction): JsonSchema {
  const name = NAMES[direction].get(schema)?.id;
  return name === undefined ? clean(raw(schema, direction)) : { $ref: `#/components/schemas/${name}` };
}

/** The definition of a named schema. Named schemas within it stay references. */
function definition(schema: z.ZodType, direction: Direction, name: string): JsonSchema {
  return clean((raw(schema, direction).$defs as Record<string, JsonSchema>)[name] as JsonSchema);
}

function raw(schema: z.ZodType, direction: Direction): JsonSchema {
  return z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io: direction,
    metadata: NAMES[direction],
    unrepresentable: 'any',
    override: ({ jsonSchema }) => simplify(jsonSchema as JsonSchema, direction),
  }) as JsonSchema;
}

/**
 * Replaces UUIDs by a reference, and drops the bounds of exact integers. Answers stay open: a later version may add
 * fields, so clients must accept unknown ones.
 */
function simplify(schema: JsonSchema, direction: Direction): void {
  if (schema['format'] === 'uuid') {
    for (const key of ['type', 'format', 'pattern']) delete schema[key];
    schema['$ref'] = '#/components/schemas/Uuid';
  }
  if (direction === 'output' && schema['additionalProperties'] === false)
    delete schema['additionalProperties'];
  if (schema['minimum'] === Number.MIN_SAFE_INTEGER) delete schema['minimum'];
  if (schema['maximum'] === Number.MAX_SAFE_INTEGER) delete schema['maximum'];
}

/** Moves references from zod's `$defs` to the components. */
function clean({ $schema: _schema, $defs: _defs, ...schema }: JsonSchema): JsonSchema {
  const text = JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/');
  return JSON.parse(text) as JsonSchema;
}

function withExample(id: string, schema: JsonSchema): JsonSchema {
  return id in EXAMPLES ? { ...schema, examples: [EXAMPLES[id]] } : schema;
}
