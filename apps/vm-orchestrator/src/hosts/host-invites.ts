import { ServiceError } from '@novacron/contracts/errors';
import type { HostId } from '@novacron/contracts/ids';
import type { InviteHost } from '@novacron/contracts/infrastructure';
import type { Call, Statement, Transaction } from '@novacron/postgres/database';
import { createHash } from 'node:crypto';
import type { Approval } from './host-record.js';

const VALID_FOR = '1 hour';

const INSERT: Statement = {
  name: 'host-invites-insert',
  text: `INSERT INTO host_invites (token_hash, zone, driver, labels, capacity, created_by, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, now(), now() + interval '${VALID_FOR}') RETURNING expires_at`,
};
const FIND: Statement = {
  name: 'host-invites-find',
  text: `SELECT zone, driver, labels, capacity, host_id, expires_at > now() AS valid FROM host_invites
    WHERE token_hash = $1 FOR UPDATE`,
};
const USE: Statement = {
  name: 'host-invites-use',
  text: 'UPDATE host_invites SET host_id = $2, used_at = now() WHERE token_hash = $1 AND host_id IS NULL AND expires_at > now()',
};

export interface InviteRow extends Omit<Approval, 'capacity'> {
  capacity: Approval['capacity'] | null;
  /** The host that has used the token; no other host can. */
  host_id: HostId | null;
  valid: boolean;
}

/** Stores the hash of a new join token. @returns when it expires */
export async function insertInvite(
  tx: Transaction,
  token: string,
  body: InviteHost,
  by: string,
): Promise<Date> {
  const { zone, driver, labels, capacity } = body;
  const params = [hashOf(token), zone, driver, labels, capacity ? JSON.stringify(capacity) : null, by];
  const { rows } = await tx.query<{ expires_at: Date }>(INSERT, params);
  return (rows[0] as { expires_at: Date }).expires_at;
}

export function findInviteCall(token: string): Call {
  return { statement: FIND, params: [hashOf(token)] };
}

export function useInviteCall(token: string, hostId: HostId): Call {
  return { statement: USE, params: [hashOf(token), hostId] };
}

/**
 * The approval of a join token for this host; null when this host has used it before.
 * @throws ServiceError `forbidden` when it is unknown, expired, or another host has used it
 */
export function approvalOf(row: InviteRow | undefined, hostId: HostId): Approval | null {
  if (row?.host_id === hostId) return null;
  if (!row) throw new ServiceError('forbidden', 'The join token is not known');
  if (row.host_id !== null) throw new ServiceError('forbidden', 'Another host has used the join token');
  if (!row.valid)
    throw new ServiceError('forbidden', `The join token is over: it was valid for ${VALID_FOR}`);
  return { zone: row.zone, driver: row.driver, labels: row.labels, capacity: row.capacity ?? undefined };
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
