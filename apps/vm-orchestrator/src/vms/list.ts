import { RawBody, type RawReply, type RequestMeta } from '@novacron/contracts/envelope';
import type { VmListQuery } from '@novacron/contracts/vms';
import type { Database, Statement } from '@novacron/postgres/database';
import { decodeCursor, encodeCursor } from '../keyset.js';
import { servedBy, sessionFor } from '../read-session.js';

const SORTS = {
  createdAt: { column: 'created_at', type: 'timestamptz', text: 'utc_text(created_at)' },
  updatedAt: { column: 'updated_at', type: 'timestamptz', text: 'utc_text(updated_at)' },
  name: { column: 'name', type: 'text', text: 'name' },
} as const;

interface Page {
  /** The VMs as JSON, with commas between; null: there are none. */
  readonly items: string | null;
  readonly more: boolean;
  /** Of the page's last VM: what it is sorted by, and its id. */
  readonly value: string | null;
  readonly id: string | null;
}

/**
 * One page of a tenant's VMs, by keyset: a page costs the same however deep it is, and rows that come or go
 * meanwhile shift nothing. The JSON is Postgres' and passes through as it is.
 */
export async function listVms(db: Database, meta: RequestMeta, query: VmListQuery): Promise<RawReply> {
  const { statement, params } = select(meta.tenantId, query);
  const found = await sessionFor(db, meta).query<Page>(statement, params, { tenantId: meta.tenantId });
  const { items, more, value, id } = found.rows[0] as Page;
  const nextCursor =
    more && value !== null && id !== null
      ? JSON.stringify(encodeCursor({ sort: query.sort, value, id }))
      : 'null';
  return { body: new RawBody(`{"items":[${items ?? ''}],"nextCursor":${nextCursor}}`), ...servedBy(found) };
}

function sortOf(query: VmListQuery) {
  return SORTS[query.sort.replace('-', '') as keyof typeof SORTS];
}

/** Only what is asked for stands in the text, so that the planner meets each shape with its index. */
export function select(tenantId: string, query: VmListQuery): { statement: Statement; params: unknown[] } {
  const params: unknown[] = [tenantId];
  const bind = (value: unknown) => `$${params.push(value)}`;
  const { column, type, text: sorted } = sortOf(query);
  const [direction, beyond] = query.sort.startsWith('-') ? ['DESC', '<'] : ['ASC', '>'];
  const where = [`tenant_id = $1`, `state <> 'deleted'`, ...filters(query, bind)];
  if (query.cursor !== undefined) {
    const from = decodeCursor(query.cursor, query.sort);
    where.push(`(${column}, id) ${beyond} (${bind(from.value)}::${type}, ${bind(from.id)}::uuid)`);
  }
  const order = `${column} ${direction}, id ${direction}`;
  const limit = bind(query.limit);
  const text = `SELECT string_agg(vm_json(v)::text, ',' ORDER BY n) FILTER (WHERE n <= ${limit}) AS items,
      count(*) > ${limit} AS more,
      max(${sorted}) FILTER (WHERE n = ${limit}) AS value,
      max(id::text) FILTER (WHERE n = ${limit}) AS id
    FROM (SELECT page.*, row_number() OVER (ORDER BY ${order}) AS n
      FROM (SELECT vms AS v, id, name, created_at, updated_at FROM vms WHERE ${where.join(' AND ')}
        ORDER BY ${order} LIMIT ${limit}::int + 1) AS page) AS numbered`;
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
