import { Injectable } from '@nestjs/common';
import type { BodyOf, RawReply, ReplyOf, RequestMeta, RpcReply } from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import type { VmId } from '@novacron/contracts/ids';
import type { Placement, Vm, VmListQuery, vmsRpc } from '@novacron/contracts/vms';
import type { Database, Statement } from '@novacron/postgres/database';
import { SystemDatabase, TenantDatabase } from '@novacron/service-kit/inject';
import { servedBy, sessionFor } from '../database/read-session.js';
import { listVms } from './list.js';
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

interface LocatedRow {
  id: VmId;
  tenant_id: Vm['tenantId'];
  host_id: Vm['hostId'];
  deleted: boolean;
  deleted_at: number | null;
}

/** Reads VMs, from a replica where the caller's position allows. */
@Injectable()
export class VmReads {
  constructor(
    @TenantDatabase() private readonly db: Database,
    @SystemDatabase() private readonly sys: Database,
  ) {}

  list(meta: RequestMeta, query: VmListQuery): Promise<RawReply> {
    return listVms(this.db, meta, query);
  }

  /** @throws ServiceError not_found */
  async get(meta: RequestMeta, { id, tombstone }: BodyOf<typeof vmsRpc.get>): Promise<RpcReply<Vm>> {
    const { row, ...served } = await this.row(meta, id, tombstone);
    return { body: toVm(row), version: row.version, ...served };
  }

  /** The row, as new as the request asks. @throws ServiceError not_found */
  async row(meta: RequestMeta, id: VmId, tombstone = false) {
    const { tenantId } = meta;
    const statement = tombstone ? READ_TOMBSTONE : READ_VM;
    const found = await sessionFor(this.db, meta).query<VmRow>(statement, [tenantId, id], { tenantId });
    const row = found.rows[0];
    if (!row) throw new ServiceError('not_found', `There is no VM ${id}`, { readAt: servedBy(found) });
    return { row, ...servedBy(found) };
  }

  /** Why the VM is where it is, or nowhere. @throws ServiceError not_found, also before the first decision */
  async placement(meta: RequestMeta, id: VmId): Promise<RpcReply<Placement>> {
    const { tenantId } = meta;
    const { results, ...from } = await sessionFor(this.db, meta).read({ tenantId }, [
      { statement: READ_VM, params: [tenantId, id] },
      { statement: READ_PLACEMENT, params: [tenantId, id] },
    ]);
    const readAt = servedBy(from);
    if (!results[0]?.rows[0]) throw new ServiceError('not_found', `There is no VM ${id}`, { readAt });
    const found = results[1]?.rows[0] as { explanation: Placement } | undefined;
    if (!found) throw new ServiceError('not_found', `VM ${id} has not been placed yet`, { readAt });
    return { body: ofZone(found.explanation), ...readAt };
  }

  /** The tenants and hosts of VMs, of any tenant: for services. Unknown ids are left out. */
  async locate(ids: readonly VmId[]): Promise<RpcReply<ReplyOf<typeof vmsRpc.locate>>> {
    const found = await this.sys.primary.query<LocatedRow>(LOCATE, [ids]);
    const body = found.rows.map((row) => ({
      id: row.id,
      tenantId: row.tenant_id,
      hostId: row.host_id,
      deleted: row.deleted,
      deletedAt: row.deleted_at,
    }));
    return { body, ...servedBy(found) };
  }
}

/** Decisions of earlier versions name a host of another zone, which the tenant must not read. */
function ofZone(explanation: Placement): Placement {
  const elsewhere = explanation.rejections.find(({ filter }) => filter === 'zone');
  if (!elsewhere) return explanation;
  return {
    ...explanation,
    candidates: explanation.candidates - elsewhere.hosts,
    rejections: explanation.rejections.filter((rejection) => rejection !== elsewhere),
  };
}
