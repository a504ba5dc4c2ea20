import type { RawReply, RequestMeta } from '@novacron/contracts/envelope';
import type { JobListQuery } from '@novacron/contracts/jobs';
import { pageBody } from '@novacron/messaging/page';
import type { Database } from '@novacron/postgres/database';
import { decodeCursor, encodeCursor } from '../database/keyset.js';
import { measuredPage } from '../database/measured-page.js';
import { servedBy, sessionFor } from '../database/read-session.js';
import { toJob, type JobRow } from './row.js';

const SORT = '-createdAt';

/** One page of a tenant's jobs, newest first. */
export async function listJobs(db: Database, meta: RequestMeta, query: JobListQuery): Promise<RawReply> {
  const params: unknown[] = [meta.tenantId];
  const bind = (value: unknown) => `$${params.push(value)}`;
  const where = ['tenant_id = $1'];
  if (query.vmId !== undefined) where.push(`vm_id = ${bind(query.vmId)}`);
  if (query.kind !== undefined) where.push(`kind = ${bind(query.kind)}`);
  if (query.status?.length) where.push(`status = ANY(${bind(query.status)})`);
  if (query.cursor !== undefined) {
    const from = decodeCursor(query.cursor, SORT, 'timestamptz');
    where.push(`(created_at, id) < (${bind(from.value)}::timestamptz, ${bind(from.id)}::uuid)`);
  }
  const order = 'created_at DESC, id DESC';
  const rows = `SELECT * FROM jobs WHERE ${where.join(' AND ')} ORDER BY ${order} LIMIT ${bind(query.limit + 1)}`;
  // The text of jsonb has a space after each separator; the JSON of the page does not.
  const size = 'octet_length(history::text) / 2';
  const text = measuredPage(rows, { limit: query.limit, columns: '*', order, size });
  const found = await sessionFor(db, meta).query<JobRow>({ text, table: 'jobs' }, params, {
    tenantId: meta.tenantId,
  });
  const body = pageBody(found.rows, {
    limit: query.limit,
    text: (row) => JSON.stringify(toJob(row)),
    cursor: (row) => encodeCursor({ sort: SORT, value: row.created_at.toISOString(), id: row.id }),
  });
  return { body, ...servedBy(found) };
}
