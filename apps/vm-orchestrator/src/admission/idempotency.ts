import type { RequestMeta } from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import type { Position } from '@novacron/contracts/position';
import type { Call, Database, Result, Statement, Transaction } from '@novacron/postgres/database';
import { databaseNow } from '../database/clock.js';

/** The key of one caller on one route: the primary key of the record. */
export interface Keyed {
  readonly meta: RequestMeta;
}

interface Remembered {
  readonly principal: string;
  readonly route: string;
  readonly key: string;
  readonly body_hash: string;
  readonly answer: unknown;
}

export type Recall<Answer> =
  | { readonly outcome: 'new' }
  | { readonly outcome: 'replay'; readonly answer: Answer }
  | { readonly outcome: 'refused'; readonly error: ServiceError };

// The lock lasts as long as the transaction, and no transaction waits for it: a duplicate that arrives while the
// first is in progress is refused. A separate statement tries the locks before the records are read, so that the
// read finds the record of a transaction that ended in between.
const TRY_LOCKS: Statement = {
  name: 'idempotency-lock',
  table: 'idempotency',
  text: `SELECT k AS id, pg_try_advisory_xact_lock(hashtextextended(k, 7)) AS mine FROM unnest($1::text[]) AS k`,
};
const RECALL: Statement = {
  name: 'idempotency-recall',
  text: `SELECT i.principal, i.route, i.key, i.body_hash, i.answer FROM idempotency i
    JOIN unnest($2::text[], $3::text[], $4::text[]) AS k(principal, route, key)
      ON i.principal = k.principal AND i.route = k.route AND i.key = k.key
    WHERE i.tenant_id = $1`,
};
const REMEMBER: Statement = {
  name: 'idempotency-remember',
  text: `INSERT INTO idempotency (tenant_id, principal, route, key, body_hash, answer, created_at)
    SELECT tenant_id, principal, route, key, body_hash, answer, created_at
    FROM json_populate_recordset(null::idempotency, $1)`,
};

/** The first statements of the transaction, for requests of one tenant: two of them, or none without keys. */
export function recallCalls(requests: readonly Keyed[]): Call[] {
  const keyed = requests.filter((request) => request.meta.idempotency);
  const tenantId = keyed[0]?.meta.tenantId;
  if (!tenantId) return [];
  const ids = [...new Set(keyed.map((request) => lockId(request.meta)))];
  const columns = [
    keyed.map((r) => r.meta.principal),
    keyed.map((r) => r.meta.idempotency?.route),
    keyed.map((r) => r.meta.idempotency?.key),
  ];
  return [
    { statement: TRY_LOCKS, params: [ids] },
    { statement: RECALL, params: [tenantId, ...columns] },
  ];
}

/** Reads the answers of {@link recallCalls}. Of equal keys in one batch the first is new, the rest in progress. */
export function recalled<Answer>(results: readonly Result<unknown>[]): (meta: RequestMeta) => Recall<Answer> {
  const [locks, records] = results as [Result<{ id: string; mine: boolean }>?, Result<Remembered>?];
  const mine = new Set((locks?.rows ?? []).filter((lock) => lock.mine).map((lock) => lock.id));
  const known = new Map(
    (records?.rows ?? []).map((record) => [idOf(record.principal, record.route, record.key), record]),
  );
  return (meta) => {
    if (!meta.idempotency) return { outcome: 'new' };
    const record = known.get(idOf(meta.principal, meta.idempotency.route, meta.idempotency.key));
    if (record) return replay(record, meta.idempotency.bodyHash);
    if (mine.delete(lockId(meta))) return { outcome: 'new' };
    const detail = 'A request with this Idempotency-Key is in progress: try again for its answer';
    return {
      outcome: 'refused',
      error: new ServiceError('idempotency_in_progress', detail, { retryAfterMs: 1_000 }),
    };
  };
}

function replay<Answer>(record: Remembered, bodyHash: string): Recall<Answer> {
  if (record.body_hash === bodyHash) return { outcome: 'replay', answer: record.answer as Answer };
  const detail = 'This Idempotency-Key was used with another body: take a new key for a new request';
  return { outcome: 'refused', error: new ServiceError('idempotency_mismatch', detail) };
}

/** Stores answers together with the effects that they report; none without keys. */
export function rememberCalls(answers: readonly { meta: RequestMeta; answer: unknown }[], now: Date): Call[] {
  const rows = answers.flatMap(({ meta, answer }) =>
    meta.idempotency
      ? [
          {
            tenant_id: meta.tenantId,
            principal: meta.principal,
            route: meta.idempotency.route,
            key: meta.idempotency.key,
            body_hash: meta.idempotency.bodyHash,
            answer,
            created_at: now,
          },
        ]
      : [],
  );
  return rows.length === 0 ? [] : [{ statement: REMEMBER, params: [JSON.stringify(rows)] }];
}

export interface Answered<Answer> {
  readonly answer: Answer;
  /** The answer is the one that was given to the key before. */
  readonly replayed: boolean;
}

/**
 * Makes an effect once for each key, within the transaction of the effect. The key is checked first: a request that
 * was answered before is not judged by the present state.
 * @param write makes the effect and answers; not called for a key that was answered before
 * @throws ServiceError idempotency_in_progress, idempotency_mismatch, and those of `write`
 */
export async function once<Answer>(
  tx: Transaction,
  meta: RequestMeta,
  write: () => Promise<Answer>,
): Promise<Answered<Answer>> {
  const calls = recallCalls([{ meta }]);
  if (calls.length === 0) return { answer: await write(), replayed: false };
  const known = recalled<Answer>(await tx.pipeline(calls))(meta);
  if (known.outcome === 'refused') throw known.error;
  if (known.outcome === 'replay') return { answer: known.answer, replayed: true };
  const answer = await write();
  await tx.pipeline(rememberCalls([{ meta, answer }], databaseNow()));
  return { answer, replayed: false };
}

/**
 * The earlier answer to the key, for requests that are judged before their transaction begins.
 * @returns null without a key, or without an answer yet
 * @throws ServiceError idempotency_mismatch
 */
export async function answeredBefore<Answer>(
  db: Database,
  meta: RequestMeta,
): Promise<{ readonly answer: Answer; readonly position: Position } | null> {
  if (!meta.idempotency) return null;
  const { tenantId, principal, idempotency } = meta;
  const params = [tenantId, [principal], [idempotency.route], [idempotency.key]];
  const { rows, lowerBound: position } = await db.primary.query<Remembered>(RECALL, params, { tenantId });
  if (!rows[0]) return null;
  const known = replay<Answer>(rows[0], idempotency.bodyHash);
  if (known.outcome === 'refused') throw known.error;
  return known.outcome === 'replay' ? { answer: known.answer, position } : null;
}

function lockId(meta: RequestMeta): string {
  const { route, key } = meta.idempotency as NonNullable<RequestMeta['idempotency']>;
  return `${meta.tenantId} ${idOf(meta.principal, route, key)}`;
}

function idOf(principal: string, route: string, key: string): string {
  return JSON.stringify([principal, route, key]);
}
