type JsonSchema = Record<string, unknown>;

const VM = '01a20960-2b95-7f50-99b5-2e80d8d56fb4';
const JOB = '01a20960-2b96-7c11-8a3e-5f0d4b7a9c21';
const HOST = '01a2095f-11d0-7e02-b1c4-9d2f6a8e7b35';
const TENANT = '01a2095e-0a77-7b90-8f61-3c5d7e9f1a2b';
const AT = '2026-11-23T16:30:00.000Z';
const config = { cpu: 2, memory: 4096, disk: 50, image: 'ubuntu-22.04' };

/** Examples by component. The examples of other components are made from their schemas. */
export const EXAMPLES: Readonly<Record<string, unknown>> = {
  Uuid: VM,
  VmId: VM,
  JobId: JOB,
  HostId: HOST,
  TenantId: TENANT,
  Vm: {
    id: VM,
    tenantId: TENANT,
    name: 'web-1',
    state: 'running',
    desiredState: 'running',
    config,
    zone: 'sim',
    hostId: HOST,
    tags: { env: 'prod' },
    task: null,
    conditions: [],
    stopReason: null,
    lastError: null,
    generation: 1,
    observedGeneration: 1,
    incarnation: 1,
    version: 4,
    allowedActions: ['stop', 'force-stop', 'reboot', 'reset', 'pause', 'delete'],
    createdAt: AT,
    updatedAt: AT,
  },
  CreateVm: { name: 'web-1', config, tags: { env: 'prod' } },
  PatchVm: { name: 'web-2', tags: { env: 'prod' } },
  MergePatchVm: { tags: { env: 'test', owner: null } },
  ActionOptions: { graceSeconds: 30 },
  PushMetrics: { series: [{ vmId: VM, metric: 'queue_depth', points: [[1795451400000, 42.5]] }] },
  PushResult: { accepted: 1, rejected: [] },
};

/**
 * An example of a JSON Schema: its own, or one that is made from its parts. Optional fields are left out.
 * @param components by name, for references
 */
export function exampleOf(
  schema: JsonSchema,
  components: Readonly<Record<string, JsonSchema>>,
  name = '',
): unknown {
  const { $ref, anyOf, oneOf, allOf, examples } = schema as Record<string, JsonSchema[] | undefined> & {
    $ref?: string;
  };
  if ($ref !== undefined) {
    const component = $ref.slice($ref.lastIndexOf('/') + 1);
    return EXAMPLES[component] ?? exampleOf(components[component] as JsonSchema, components, name);
  }
  if (examples !== undefined) return examples[0];
  for (const fixed of ['default', 'const']) if (fixed in schema) return schema[fixed];
  const choice = (schema['enum'] as unknown[] | undefined)?.[0];
  if (choice !== undefined) return choice;
  const first = (anyOf ?? oneOf ?? allOf)?.[0];
  return first === undefined ? plainExample(schema, components, name) : exampleOf(first, components, name);
}

function plainExample(
  schema: JsonSchema,
  components: Readonly<Record<string, JsonSchema>>,
  name: string,
): unknown {
  switch (schema['type']) {
    case 'object': {
      const fields = Object.entries((schema['properties'] ?? {}) as Record<string, JsonSchema>);
      const required = (schema['required'] ?? []) as string[];
      return Object.fromEntries(
        fields
          .filter(([field]) => required.includes(field))
          .map(([field, of]) => [field, exampleOf(of, components, field)]),
      );
    }
    case 'array':
      return schema['items'] === undefined
        ? []
        : [exampleOf(schema['items'] as JsonSchema, components, name)];
    case 'integer':
    case 'number':
      return Math.max(1, Number(schema['minimum'] ?? schema['exclusiveMinimum'] ?? 1));
    case 'boolean':
      return true;
    case 'string':
      return schema['format'] === 'date-time' ? AT : textFor(name);
    default:
      return null;
  }
}

function textFor(name: string): string {
  if (name === 'zone' || name === 'zones') return 'sim';
  if (name === 'images' || name === 'image') return 'ubuntu-22.04';
  return name === '' || name.toLowerCase().endsWith('name') ? 'web-1' : name.toLowerCase();
}
