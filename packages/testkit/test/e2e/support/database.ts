import pg from 'pg';

/** One question to a stack's Postgres as its superuser: for counting at the end, never for steering. */
export async function ask<Row extends pg.QueryResultRow>(
  url: string,
  sql: string,
  params: unknown[] = [],
): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(sql, params)).rows;
  } finally {
    await client.end();
  }
}

export interface VmTruth {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly host_id: string | null;
  readonly busy: boolean;
  /** create jobs that the VM ever had, and jobs that still live */
  readonly creates: number;
  readonly live: number;
}

/** What the orchestrator's schema holds of the VMs whose name begins with `prefix`, tombstones too. */
export function vmsInPostgres(url: string, prefix: string): Promise<VmTruth[]> {
  return ask<VmTruth>(
    url,
    `SELECT v.id, v.name, v.state, v.host_id, v.task IS NOT NULL AS busy,
            (SELECT count(*) FROM orchestrator.jobs j WHERE j.vm_id = v.id AND j.kind = 'create')::int AS creates,
            (SELECT count(*) FROM orchestrator.jobs j
              WHERE j.vm_id = v.id AND j.status IN ('queued', 'running', 'waiting'))::int AS live
       FROM orchestrator.vms v WHERE v.name LIKE $1 || '%'`,
    [prefix],
  );
}
