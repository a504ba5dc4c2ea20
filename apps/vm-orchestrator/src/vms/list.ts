import type { RequestMeta, RpcReply } from '@novacron/contracts/envelope';
import { formatPosition } from '@novacron/contracts/position';
import type { Vm, VmListQuery } from '@novacron/contracts/vms';
import type { Database, Statement } from '@novacron/postgres/database';
import { decodeCursor, encodeCursor } from '../keyset.js';
import { sessionFor } from '../read-session.js';
import { toVm, type VmRow } from './row.js';

interface VmPage {
  items: Vm[];
  nextCursor: string | null;
}

const SORTS = {
  createdAt: { column: 'created_at', type: 'timestamptz', of: (row: VmRow) => row.created_at.toISOString() },
  updatedAt: { column: 'updated_at', type: 'timestamptz', of: (row: VmRow) => row.updated_at.toISOString() },
  name: { column: 'name', type: 'text', of: (row: VmRow) => row.name },
} as const;

/**
 * One page of a tenant's VMs, by keyset: a page costs the same however deep it is, and rows that come or go
 * meanwhile shift nothing.
 */
export async function listVms(
  db: Database,
  meta: RequestMeta,
  query: VmListQuery,
): Promise<RpcReply<VmPage>> {
  const { statement, params } = select(meta.tenantId, query);
  const found = await sessionFor(db, meta).query<VmRow>(statement, params, { tenantId: meta.tenantId });
  const rows = found.rows.slice(0, query.limit);
  const last = rows.at(-1);
  const more = found.rows.length > query.limit && last !== undefined;
  const nextCursor = more
    ? encodeCursor({ sort: query.sort, value: sortOf(query).of(last), id: last.id })
    : null;
  return {
    body: { items: rows.map(toVm), nextCursor },
    position: formatPosition(found.seen),
    servedFrom: found.servedFrom,
  };
}

function sortOf(query: VmListQuery) {
  return SORTS[query.sort.replace('-', '') as keyof typeof SORTS];
}

/** Only what is asked for stands in the text, so that the planner meets each shape with its index. */
function select(tenantId: string, query: VmListQuery): { statement: Statement; params: unknown[] } {
  const params: unknown[] = [tenantId];
  const bind = (value: unknown) => `$${params.push(value)}`;
  const { column, type } = sortOf(query);
  const [direction, beyond] = query.sort.startsWith('-') ? ['DESC', '<'] : ['ASC', '>'];
  const where = [`tenant_id = $1`, `state <> 'deleted'`, ...filters(query, bind)];
  if (query.cursor !== undefined) {
    const from = decodeCursor(query.cursor, query.sort);
    where.push(`(${column}, id) ${beyond} (${bind(from.value)}::${type}, ${bind(from.id)}::uuid)`);
  }
  const order = `${column} ${direction}, id ${direction}`;
  const text = `SELECT * FROM vms WHERE ${where.join(' AND ')} ORDER BY ${order} LIMIT ${bind(query.limit + 1)}`;
  return { statement: { text, table: 'vms' }, params };
}

function filters(query: VmListQuery, bind: (value: unknown) => string): string[] {
  const where: string[] = [];
  if (query.state?.length) where.push(`state = ANY(${bind(query.state)})`);
  if (query.zone !== undefined) where.push(`zone = ${bind(query.zone)}`);
  if (query.hostId !== undefined) where.push(`host_id = ${bind(query.hostId)}`);
  if (query.image !== undefined) where.push(`image = ${bind(query.image)}`);
  if (query.updatedSince !== undefined) where.push(`updated_at >= ${bind(query.updatedSince)}`);
  if (query.namePrefix !== undefined) where.push(`starts_with(name, ${bind(query.namePrefix)})`);
  for (const tag of query.tag ?? []) {
    const at = tag.indexOf('=');
    if (at < 0) where.push(`tags ? ${bind(tag)}`);
    else where.push(`tags @> ${bind(JSON.stringify({ [tag.slice(0, at)]: tag.slice(at + 1) }))}::jsonb`);
  }
  return where;
}
