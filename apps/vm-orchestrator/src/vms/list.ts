import type { RawReply, RequestMeta } from '@novacron/contracts/envelope';
import type { VmListQuery } from '@novacron/contracts/vms';
import { pageBody } from '@novacron/messaging/page';
import type { Database, Statement } from '@novacron/postgres/database';
import { decodeCursor, encodeCursor } from '../database/keyset.js';
import { measuredPage, UNMEASURED } from '../database/measured-page.js';
import { servedBy, sessionFor } from '../database/read-session.js';
import { changedSince } from './changed-since.js';
import { timeText, VM_COLUMNS, vmText, type VmFields } from './row-text.js';

const SORTS = {
  createdAt: { column: 'created_at', type: 'timestamptz', value: (vm: VmFields) => timeText(vm[20]) },
  updatedAt: { column: 'updated_at', type: 'timestamptz', value: (vm: VmFields) => timeText(vm[21]) },
  name: { column: 'name', type: 'text', value: (vm: VmFields) => vm[2] },
} as const;

/**
 * One page of a tenant's VMs, by keyset: every page costs the same, and rows that are added or removed meanwhile do not
 * shift it.
 */
export async function listVms(db: Database, meta: RequestMeta, query: VmListQuery): Promise<RawReply> {
  const { statement, params } = select(meta.tenantId, query);
  const found = await sessionFor(db, meta).query<VmFields>(statement, params, { tenantId: meta.tenantId });
  const body = pageBody(found.rows, {
    limit: query.limit,
    text: vmText,
    cursor: (vm) => encodeCursor({ sort: query.sort, value: sortOf(query).value(vm), id: vm[0] }),
  });
  return { body, ...servedBy(found) };
}

function sortOf(query: VmListQuery) {
  return SORTS[query.sort.replace('-', '') as keyof typeof SORTS];
}

/** The text has only the filters of the query, so that the planner picks the index of each shape. */
export function select(tenantId: string, query: VmListQuery): { statement: Statement; params: unknown[] } {
  const params: unknown[] = [tenantId];
  const bind = (value: unknown) => `$${params.push(value)}`;
  const { column, type } = sortOf(query);
  const [direction, beyond] = query.sort.startsWith('-') ? ['DESC', '<'] : ['ASC', '>'];
  const where = [`tenant_id = $1`, isShown(query, bind), ...filters(query, bind)];
  if (query.cursor !== undefined) {
    const from = decodeCursor(query.cursor, query.sort, type);
    where.push(`(${column}, id) ${beyond} (${bind(from.value)}::${type}, ${bind(from.id)}::uuid)`);
  }
  const order = `${column} ${direction}, id ${direction}`;
  const rows = `SELECT ${VM_COLUMNS} FROM vms WHERE ${where.join(' AND ')}
    ORDER BY ${order} LIMIT ${bind(query.limit + 1)}`;
  const { limit } = query;
  const text = measuredPage(rows, { limit, columns: VM_COLUMNS, order, size: 'octet_length(tags::text)' });
  return { statement: { ...nameOf(query), text, table: 'vms', raw: true }, params };
}

const NAMED = new Set(['sort', 'limit', 'cursor', 'updatedSince']);

/** The plain shapes, a few dozen, are planned once per connection. It keeps every name, so there must be few. */
function nameOf(query: VmListQuery): { name?: string } {
  const asked = Object.entries(query).filter(([, value]) => value !== undefined);
  if (asked.some(([field]) => !NAMED.has(field))) return {};
  const isMeasured = query.limit > UNMEASURED && 'measured';
  const parts = [query.sort, query.cursor && 'from', query.updatedSince && 'since', isMeasured];
  return { name: `vms-list-${parts.filter(Boolean).join('-')}` };
}

/** A list of changes includes deleted VMs, so that a client with a copy observes them. */
function isShown(query: VmListQuery, bind: (value: unknown) => string): string {
  return query.updatedSince === undefined
    ? `state <> 'deleted'`
    : changedSince('$1', bind(query.updatedSince));
}

function filters(query: VmListQuery, bind: (value: unknown) => string): string[] {
  const where: string[] = [];
  if (query.state?.length) where.push(`state = ANY(${bind(query.state)})`);
  if (query.zone !== undefined) where.push(`zone = ${bind(query.zone)}`);
  if (query.hostId !== undefined) where.push(`host_id = ${bind(query.hostId)}`);
  if (query.image !== undefined) where.push(`image = ${bind(query.image)}`);
  if (query.name !== undefined) where.push(`name = ${bind(query.name)}`);
  if (query.namePrefix !== undefined) where.push(`starts_with(name, ${bind(query.namePrefix)})`);
  for (const tag of query.tag ?? []) {
    const at = tag.indexOf('=');
    if (at < 0) where.push(`tags ? ${bind(tag)}`);
    else where.push(`tags @> ${bind(JSON.stringify({ [tag.slice(0, at)]: tag.slice(at + 1) }))}::jsonb`);
  }
  return where;
}
