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

/**
 * What does not add up: tenants whose quota counts other than their VMs hold, and hosts that have booked other
 * than the VMs placed on them. Empty when all is well and nothing is in flight.
 */
export async function imbalances(url: string): Promise<unknown[]> {
  const quotas = await ask(
    url,
    `SELECT q.tenant_id, q.used_vms, count(v.id) AS vms, q.used_cpu, coalesce(sum(v.cpu), 0) AS cpu
       FROM orchestrator.quotas q LEFT JOIN orchestrator.vms v ON v.tenant_id = q.tenant_id AND v.quota_held
      GROUP BY q.tenant_id
     HAVING q.used_vms <> count(v.id) OR q.used_cpu <> coalesce(sum(v.cpu), 0)
         OR q.used_memory <> coalesce(sum(v.memory), 0) OR q.used_disk <> coalesce(sum(v.disk), 0)`,
  );
  const hosts = await ask(
    url,
    `SELECT h.name, h.vm_count, count(v.id) AS vms, h.allocated_cpu, coalesce(sum(v.cpu), 0) AS cpu
       FROM orchestrator.hosts h LEFT JOIN orchestrator.vms v ON v.host_id = h.id AND v.state <> 'deleted'
      WHERE NOT EXISTS (SELECT FROM orchestrator.cleanups c WHERE c.host_id = h.id)
      GROUP BY h.id
     HAVING h.vm_count <> count(v.id) OR h.allocated_cpu <> coalesce(sum(v.cpu), 0)
         OR h.allocated_memory <> coalesce(sum(v.memory), 0) OR h.allocated_disk <> coalesce(sum(v.disk), 0)`,
  );
  return [...quotas, ...hosts];
}
