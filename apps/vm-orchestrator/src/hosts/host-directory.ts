import { Injectable } from '@nestjs/common';
import { TenantDatabase } from '@novacron/service-kit/inject';
import type { RawReply, RequestMeta, RpcReply } from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import type { HostId } from '@novacron/contracts/ids';
import type { Host, HostListQuery, PageQuery } from '@novacron/contracts/infrastructure';
import { pageBody } from '@novacron/messaging/page';
import type { Database, RoutedResult, Statement } from '@novacron/postgres/database';
import { decodeCursor, encodeCursor } from '../database/keyset.js';
import { servedBy, sessionFor } from '../database/read-session.js';
import { LIST_IMAGES, LIST_ZONES, toImage, toZone, type ImageRow, type ZoneRow } from './catalog.js';
import { HOST_COLUMNS, toHost, type HostRow } from './row.js';

const READ_HOSTS: Statement = {
  name: 'hosts-list',
  text: `SELECT ${HOST_COLUMNS} FROM hosts h
    WHERE ($1::text IS NULL OR h.zone = $1) AND ($2::text IS NULL OR h.state = $2)
      AND ($3::text IS NULL OR h.name > $3) ORDER BY h.name LIMIT $4`,
};
const READ_HOST: Statement = {
  name: 'hosts-get',
  text: `SELECT ${HOST_COLUMNS} FROM hosts h WHERE h.id = $1`,
};

/** Reads hosts, zones and images, from a replica where the caller's position allows. */
@Injectable()
export class HostDirectory {
  constructor(@TenantDatabase() private readonly db: Database) {}

  /** @throws ServiceError `invalid_request` for a cursor of another list */
  async hosts(meta: RequestMeta, query: HostListQuery): Promise<RawReply> {
    const { zone = null, state = null, limit } = query;
    const params = [zone, state, nameBefore(query), limit + 1];
    return page(await sessionFor(this.db, meta).query<HostRow>(READ_HOSTS, params), limit, toHost);
  }

  /** @throws ServiceError `not_found` */
  async host(meta: RequestMeta, id: HostId): Promise<RpcReply<Host>> {
    const answer = await sessionFor(this.db, meta).query<HostRow>(READ_HOST, [id]);
    const row = answer.rows[0];
    if (!row) throw new ServiceError('not_found', 'There is no such host');
    return { body: toHost(row), version: row.version, ...servedBy(answer) };
  }

  /** @throws ServiceError `invalid_request` for a cursor of another list */
  async zones(meta: RequestMeta, query: PageQuery): Promise<RawReply> {
    const params = [nameBefore(query), query.limit + 1];
    return page(await sessionFor(this.db, meta).query<ZoneRow>(LIST_ZONES, params), query.limit, toZone);
  }

  /** @throws ServiceError `invalid_request` for a cursor of another list */
  async images(meta: RequestMeta, query: PageQuery): Promise<RawReply> {
    const params = [nameBefore(query), query.limit + 1];
    return page(await sessionFor(this.db, meta).query<ImageRow>(LIST_IMAGES, params), query.limit, toImage);
  }
}

/** Names are unique: these cursors need no id. */
const NO_ID = '00000000-0000-0000-0000-000000000000';

function nameBefore({ cursor }: PageQuery): string | null {
  return cursor === undefined ? null : decodeCursor(cursor, 'name', 'text').value;
}

function page<Row extends { name: string }>(
  answer: RoutedResult<Row>,
  limit: number,
  toItem: (row: Row) => object,
): RawReply {
  const body = pageBody(answer.rows, {
    limit,
    text: (row) => JSON.stringify(toItem(row)),
    cursor: ({ name }) => encodeCursor({ sort: 'name', value: name, id: NO_ID }),
  });
  return { body, ...servedBy(answer) };
}
