import type { Statement } from '@novacron/postgres/database';

export const LOCK_VM: Statement = {
  name: 'vm-lock',
  text: 'SELECT * FROM vms WHERE tenant_id = $1 AND id = $2 FOR UPDATE',
};

export const READ_VM: Statement = {
  name: 'vm-read',
  text: `SELECT * FROM vms WHERE tenant_id = $1 AND id = $2 AND state <> 'deleted'`,
};

/** Also one that is deleted. */
export const READ_TOMBSTONE: Statement = {
  name: 'vm-read-tombstone',
  text: 'SELECT * FROM vms WHERE tenant_id = $1 AND id = $2',
};

export const LIVE_JOB: Statement = {
  name: 'job-live',
  text: `SELECT * FROM jobs WHERE tenant_id = $1 AND vm_id = $2 AND status IN ('queued', 'running', 'waiting')`,
};

export const LIVE_JOB_FOR_UPDATE: Statement = {
  name: 'job-live-lock',
  text: `${LIVE_JOB.text} FOR UPDATE`,
};

export const SUPERSEDE: Statement = {
  name: 'job-supersede',
  text: `UPDATE jobs SET status = 'cancelled', lease_owner = NULL, updated_at = $2, version = version + 1,
      error = json_build_object('code', 'superseded', 'detail', 'superseded by ' || $3::text)::jsonb
    WHERE vm_id = $1 AND status IN ('queued', 'running', 'waiting')
    RETURNING *`,
};
