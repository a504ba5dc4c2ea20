import type { Statement } from '@novacron/postgres/database';

export const LOCK_VM: Statement = {
  name: 'vm-lock',
  text: 'SELECT * FROM vms WHERE tenant_id = $1 AND id = $2 FOR UPDATE',
};

export const READ_VM: Statement = {
  name: 'vm-read',
  text: `SELECT * FROM vms WHERE tenant_id = $1 AND id = $2 AND state <> 'deleted'`,
};

/** Including deleted VMs. */
export const READ_TOMBSTONE: Statement = {
  name: 'vm-read-tombstone',
  text: 'SELECT * FROM vms WHERE tenant_id = $1 AND id = $2',
};
