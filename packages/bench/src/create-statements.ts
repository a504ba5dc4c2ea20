/**
 * What the orchestrator runs for a create, in its order, as texts with `$n` and what pgbench gives for each
 * parameter. checkStatements() holds them against what a stack has really run.
 */
export interface CreateStatement {
  readonly text: string;
  readonly params: readonly string[];
  /** keeps the row's columns as variables of the script */
  readonly keep?: boolean;
}

/** Twelve hex digits of this create, in place of `~~` in a template variable. */
const filled = (variable: string) => `replace(:${variable}, '~~', to_hex(:n::bigint))`;

export const CREATE_STATEMENTS: readonly CreateStatement[] = [
  { text: `SELECT set_config('app.tenant_id', $1, true)`, params: [':tenant::text'] },
  {
    text: 'SELECT k AS id, pg_try_advisory_xact_lock(hashtextextended(k, 7)) AS mine FROM unnest($1::text[]) AS k',
    params: [`ARRAY[${filled('lock')}]`],
  },
  { text: 'SELECT * FROM quotas WHERE tenant_id = $1 FOR UPDATE', params: [':tenant::uuid'], keep: true },
  {
    text: `SELECT i.principal, i.route, i.key, i.body_hash, i.answer FROM idempotency i
    JOIN unnest($2::text[], $3::text[], $4::text[]) AS k(principal, route, key)
      ON i.principal = k.principal AND i.route = k.route AND i.key = k.key
    WHERE i.tenant_id = $1`,
    params: [':tenant::uuid', 'ARRAY[:principal::text]', 'ARRAY[:route::text]', `ARRAY[${filled('key')}]`],
  },
  {
    text: `SELECT name FROM vms WHERE tenant_id = $1 AND name = ANY($2) AND state <> 'deleted'`,
    params: [':tenant::uuid', `ARRAY[${filled('name')}]`],
  },
  {
    text: 'INSERT INTO vms SELECT * FROM json_populate_recordset(null::vms, $1)',
    params: [`${filled('vm')}::json`],
  },
  {
    text: `INSERT INTO jobs (tenant_id, id, vm_id, kind, status, step, step_index, step_count, attempt, undoing, lease_owner,
      fence, deadline, args, history, version, created_at, updated_at, due_at)
    SELECT tenant_id, id, vm_id, kind, status, step, step_index, step_count, attempt, undoing, lease_owner,
      fence, deadline, args, history, version, created_at, updated_at,
      now() + CASE WHEN lease_owner IS NULL THEN interval '0' ELSE interval '30 s' END
    FROM json_populate_recordset(null::jobs, $1)`,
    params: [`${filled('job')}::json`],
  },
  {
    text: 'UPDATE quotas SET used_vms = $2, used_cpu = $3, used_memory = $4, used_disk = $5 WHERE tenant_id = $1',
    params: [
      ':tenant::uuid',
      ':used_vms::bigint + 1',
      ':used_cpu::bigint + 2',
      ':used_memory::bigint + 4096',
      ':used_disk::bigint + 50',
    ],
  },
  {
    text: `INSERT INTO outbox_pending (id, tenant_id, kind, resource_id, type, version, at, data)
         SELECT id, "tenantId", kind, "resourceId", type, version, coalesce(at, clock_timestamp()), data
           FROM json_to_recordset($1::json) AS event(
             id uuid, "tenantId" text, kind text, "resourceId" text, type text, version bigint, at timestamptz, data json)`,
    params: [filled('event')],
  },
  {
    text: `INSERT INTO idempotency (tenant_id, principal, route, key, body_hash, answer, created_at)
    SELECT tenant_id, principal, route, key, body_hash, answer, created_at
    FROM json_populate_recordset(null::idempotency, $1)`,
    params: [`${filled('record')}::json`],
  },
];

/** Digits of a create that no other create of this or an earlier run has: 12 in hex, growing with time. */
const NUMBERED = `\\set i :i + 1
\\set n 17592186044416 + :run * 10000000000 + :i * 1000 + :client_id
`;

function bound({ text, params }: CreateStatement): string {
  return text.replaceAll(/\$(\d+)/g, (_, digits: string) => params[Number(digits) - 1] ?? '');
}

/** One create to a transaction, a round trip for each statement. */
export function createScript(): string {
  const statements = CREATE_STATEMENTS.map((one) => `${bound(one)}${one.keep ? '\n\\gset' : ';'}`);
  return `${NUMBERED}BEGIN;\n${statements.join('\n')}\nCOMMIT;\n`;
}

/** The same in three round trips, as the orchestrator sends its batches: what is known, the writes, COMMIT. */
export function pipelinedScript(): string {
  const firstWrite = CREATE_STATEMENTS.findIndex((one) => one.text.startsWith('INSERT'));
  const part = (statements: readonly CreateStatement[]) =>
    statements.map((one) => `${bound(one)};`).join('\n');
  // A pipeline has no \gset: the numbers come from the script, the row's lock and update stay.
  const writes = part(CREATE_STATEMENTS.slice(firstWrite)).replaceAll(/:used_\w+/g, ':i');
  const reads = part(CREATE_STATEMENTS.slice(0, firstWrite));
  const pipeline = (body: string) => `\\startpipeline\n${body}\n\\endpipeline\n`;
  return NUMBERED + pipeline(`BEGIN;\n${reads}`) + pipeline(writes) + pipeline('COMMIT;');
}
