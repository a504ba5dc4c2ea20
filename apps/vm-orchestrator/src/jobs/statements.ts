import type { Statement } from '@novacron/postgres/database';

export const READ_JOB: Statement = {
  name: 'job-read',
  text: 'SELECT * FROM jobs WHERE tenant_id = $1 AND id = $2',
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
