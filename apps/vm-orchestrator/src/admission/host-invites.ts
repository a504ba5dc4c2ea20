import { Injectable } from '@nestjs/common';
import type { RequestMeta } from '@novacron/contracts/envelope';
import type { HostInvite, InviteHost } from '@novacron/contracts/infrastructure';
import type { Position } from '@novacron/contracts/position';
import type { Database } from '@novacron/postgres/database';
import { SystemDatabase } from '@novacron/service-kit/inject';
import { randomBytes } from 'node:crypto';
import { insertInvite } from '../hosts/host-invites.js';
import { once } from './idempotency.js';

const SECRET_BYTES = 32;

/** Join tokens: each approves one host, once, within an hour. Only their hashes are stored. */
@Injectable()
export class HostInvites {
  constructor(@SystemDatabase() private readonly db: Database) {}

  /**
   * A repeated request is answered without the token: a secret is shown once.
   * @throws ServiceError those of the idempotency key
   */
  async create(
    meta: RequestMeta,
    body: InviteHost,
  ): Promise<{ invite: HostInvite; position: Position; replayed: boolean }> {
    const token = `nci_${randomBytes(SECRET_BYTES).toString('base64url')}`;
    const { zone, driver, labels, capacity = null } = body;
    const { result, position } = await this.db.transaction({}, (tx) =>
      once(tx, meta, async (): Promise<HostInvite> => {
        const expiresAt = (await insertInvite(tx, token, body, meta.principal)).toISOString();
        return { zone, driver, labels, capacity, expiresAt, token: null };
      }),
    );
    const { answer, replayed } = result;
    return { invite: replayed ? answer : { ...answer, token }, replayed, position };
  }
}
