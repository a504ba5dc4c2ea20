import type { RequestMeta, RpcReply } from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import type { VmId } from '@novacron/contracts/ids';
import type { Placement, Vm } from '@novacron/contracts/vms';
import type { Database, Statement } from '@novacron/postgres/database';
import { servedBy, sessionFor } from '../database/read-session.js';
import { toVm, type VmRow } from './row.js';
import { READ_TOMBSTONE, READ_VM } from './statements.js';

const READ_PLACEMENT: Statement = {
  name: 'placement-read',
  text: 'SELECT explanation FROM placements WHERE tenant_id = $1 AND vm_id = $2',
};
const LOCATE: Statement = {
  name: 'vms-locate',
  text: `SELECT id, tenant_id, host_id, state = 'deleted' AS deleted,
           CASE WHEN state = 'deleted' THEN floor(extract(epoch FROM updated_at) * 1000)::float8 END AS deleted_at FROM vms WHERE id = ANY($1)`,
};

/** The row, as new as the request asks. @throws ServiceError not_found */
export async function readVmRow(db: Database, meta: RequestMeta, id: VmId, tombstone = false) {
  const { tenantId } = meta;
  const found = await sessionFor(db, meta).query<VmRow>(
    tombstone ? READ_TOMBSTONE : READ_VM,
    [tenantId, id],
    { tenantId },
  );
  const row = found.rows[0];
  if (!row) throw new ServiceError('not_found', `There is no VM ${id}`, { readAt: servedBy(found) });
  return { row, ...servedBy(found) };
}

export async function getVm(
  db: Database,
  meta: RequestMeta,
  { id, tombstone }: { readonly id: VmId; readonly tombstone?: boolean | undefined },
): Promise<RpcReply<Vm>> {
  const { row, ...served } = await readVmRow(db, meta, id, tombstone);
  return { body: toVm(row), version: row.version, ...served };
}

/** Why the VM is where it is, or nowhere. @throws ServiceError not_found, also before the first decision */
export async function getPlacement(db: Database, meta: RequestMeta, id: VmId): Promise<RpcReply<Placement>> {
  const { tenantId } = meta;
  const { results, ...from } = await sessionFor(db, meta).read({ tenantId }, [
    { statement: READ_VM, params: [tenantId, id] },
    { statement: READ_PLACEMENT, params: [tenantId, id] },
  ]);
  const readAt = servedBy(from);
  if (!results[0]?.rows[0]) throw new ServiceError('not_found', `There is no VM ${id}`, { readAt });
  const found = results[1]?.rows[0] as { explanation: Placement } | undefined;
  if (!found) throw new ServiceError('not_found', `VM ${id} has not been placed yet`, { readAt });
  return { body: ofZone(found.explanation), ...readAt };
}

/** Decisions of earlier versions name a host of another zone: that is not the tenant's to read. */
function ofZone(explanation: Placement): Placement {
  const elsewhere = explanation.rejections.find(({ filter }) => filter === 'zone');
  if (!elsewhere) return explanation;
  return {
    ...explanation,
    candidates: explanation.candidates - elsewhere.hosts,
    rejections: explanation.rejections.filter((rejection) => rejection !== elsewhere),
  };
}

/** Whose and where VMs are, of any tenant: for services, by the `_sys` role. Unknown ids are left out. */
export async function locateVms(db: Database, ids: readonly VmId[]) {
  const found = await db.primary.query<{
    id: VmId;
    tenant_id: Vm['tenantId'];
    host_id: Vm['hostId'];
    deleted: boolean;
    deleted_at: number | null;
  }>(LOCATE, [ids]);
  const body = found.rows.map((row) => ({
    id: row.id,
    tenantId: row.tenant_id,
    hostId: row.host_id,
    deleted: row.deleted,
    deletedAt: row.deleted_at,
  }));
  return { body, ...servedBy(found) };
}
