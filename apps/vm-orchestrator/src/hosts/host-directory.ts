import type { RequestMeta, RpcReply } from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import type { HostId } from '@novacron/contracts/ids';
import type { Host, Image, Zone } from '@novacron/contracts/infrastructure';
import type { Answer, Database, Statement } from '@novacron/postgres/database';
import { servedBy, sessionFor } from '../read-session.js';
import { READ_IMAGES, READ_ZONES, toImage, toZone, type ImageRow, type ZoneRow } from './catalog.js';
import { HOST_COLUMNS, toHost, type HostRow } from './row.js';

interface Page<Item> {
  readonly items: Item[];
  readonly nextCursor: null;
}

const READ_HOSTS: Statement = {
  name: 'hosts-list',
  text: `SELECT ${HOST_COLUMNS} FROM hosts h
    WHERE ($1::text IS NULL OR h.zone = $1) AND ($2::text IS NULL OR h.state = $2) ORDER BY h.name`,
};
const READ_HOST: Statement = {
  name: 'hosts-get',
  text: `SELECT ${HOST_COLUMNS} FROM hosts h WHERE h.id = $1`,
};

/** Reads hosts, zones and images, from a replica where the caller's position allows. */
export class HostDirectory {
  /** @param db of the `_api` role */
  constructor(private readonly db: Database) {}

  async hosts(
    meta: RequestMeta,
    query: { zone?: string | undefined; state?: Host['state'] | undefined },
  ): Promise<RpcReply<Page<Host>>> {
    return page(
      await sessionFor(this.db, meta).query<HostRow>(READ_HOSTS, [query.zone ?? null, query.state ?? null]),
      toHost,
    );
  }

  /** @throws ServiceError `not_found` */
  async host(meta: RequestMeta, id: HostId): Promise<RpcReply<Host>> {
    const answer = await sessionFor(this.db, meta).query<HostRow>(READ_HOST, [id]);
    const row = answer.rows[0];
    if (!row) throw new ServiceError('not_found', 'There is no such host');
    return { body: toHost(row), version: row.version, ...servedBy(answer) };
  }

  async zones(meta: RequestMeta): Promise<RpcReply<Page<Zone>>> {
    return page(await sessionFor(this.db, meta).query<ZoneRow>(READ_ZONES, [null]), toZone);
  }

  async images(meta: RequestMeta): Promise<RpcReply<Page<Image>>> {
    return page(await sessionFor(this.db, meta).query<ImageRow>(READ_IMAGES, [null]), toImage);
  }
}

function page<Row, Item>(answer: Answer<Row>, toItem: (row: Row) => Item): RpcReply<Page<Item>> {
  return { body: { items: answer.rows.map(toItem), nextCursor: null }, ...servedBy(answer) };
}
