import type { BenchStack } from './bench-stack.js';

type Row = Record<string, unknown>;

/** One row of each table that a create writes, read back after a real one through the API. */
async function sample(
  stack: BenchStack,
): Promise<{ vm: Row; job: Row; record: Row; event: Row; answer: Row }> {
  const answer = JSON.parse(await stack.api.create('bench-sample')) as Row;
  const id = String(answer['id']);
  await stack.api.wait(id, 'running');
  const row = async (text: string): Promise<Row> => {
    const { rows } = await stack.admin.query<{ row: Row }>(text, [id]);
    if (!rows[0]) throw new Error(`the sample create left no row: ${text}`);
    return rows[0].row;
  };
  return {
    answer,
    vm: await row('SELECT to_jsonb(v) AS row FROM orchestrator.vms v WHERE id = $1'),
    job: await row('SELECT to_jsonb(j) AS row FROM orchestrator.jobs j WHERE vm_id = $1'),
    record: await row(
      `SELECT to_jsonb(i) AS row FROM orchestrator.idempotency i WHERE answer ->> 'id' = $1::text`,
    ),
    event: await row(
      `SELECT jsonb_build_object('id', id, 'tenantId', tenant_id, 'kind', kind, 'resourceId', resource_id,
          'type', type, 'version', version, 'at', at, 'data', data) AS row
        FROM orchestrator.outbox WHERE resource_id = $1::text AND type = 'vm.created'`,
    ),
  };
}

/**
 * The parameters of a create as JSON texts of the size and shape that the orchestrator writes, with `~~` where
 * a create's own digits go: variables of the pgbench script.
 */
export async function createTemplates(stack: BenchStack): Promise<Record<string, string>> {
  const { vm, job, record, event, answer } = await sample(stack);
  const ids: [string, string][] = [
    [String(vm['id']), '01990000-0000-7000-8000-~~'],
    [String(job['id']), '01990000-0000-7000-8001-~~'],
    [String(event['id']), '01990000-0000-7000-8002-~~'],
    [String(record['key']), '01990000-0000-4000-8003-~~'],
    ['bench-sample', 'bench-~~'],
  ];
  const template = (value: unknown) =>
    ids.reduce((text, [from, to]) => text.replaceAll(from, to), JSON.stringify(value));
  // Both rows as they were when they were written: the sample has gone on since.
  const newVm = {
    ...vm,
    state: 'pending',
    host_id: null,
    task: answer['task'],
    version: 1,
    fence: 1,
    incarnation: 0,
  };
  const newJob = { ...job, status: 'running', step_index: 0, attempt: 0, history: [], lease_owner: vm['id'] };
  const { principal, route, tenant_id: tenant } = record as Record<string, string>;
  return {
    tenant: String(tenant),
    principal: String(principal),
    route: String(route),
    name: 'bench-~~',
    key: '01990000-0000-4000-8003-~~',
    lock: `${tenant} ${JSON.stringify([principal, route, '01990000-0000-4000-8003-~~'])}`,
    vm: template([newVm]),
    job: template([newJob]),
    event: template([event]),
    record: template([record]),
  };
}
