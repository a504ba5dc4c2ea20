import type { RequestMeta } from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import type { Call, Result, Statement } from '@novacron/postgres/database';

/** One asker's key on one route, as the record's primary key has it. */
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

// The lock lasts as long as the transaction, and nobody waits for it: a duplicate that comes while the first
// is in progress is refused. Locks are tried before the records are read, in a statement of their own, so
// that the record of a transaction which ended in between is seen.
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

/** What to run first in the transaction, for requests of one tenant; two statements, or none without keys. */
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

/** Stores answers with the effects that they tell of; none without keys. */
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

function lockId(meta: RequestMeta): string {
  const { route, key } = meta.idempotency as NonNullable<RequestMeta['idempotency']>;
  return `${meta.tenantId} ${idOf(meta.principal, route, key)}`;
}

function idOf(principal: string, route: string, key: string): string {
  return JSON.stringify([principal, route, key]);
}
