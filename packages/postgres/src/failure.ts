import { ServiceError } from '@novacron/contracts/errors';
import pg from 'pg';
import { RETRY_AFTER_MS } from './settings.js';

// https://www.postgresql.org/docs/current/errcodes-appendix.html
const QUERY_CANCELED = '57014';
/** The server answers and cannot serve: shutting down, starting, out of slots, idle too long. */
const SERVER_UNUSABLE = new Set(['57P01', '57P02', '57P03', '57P05', '53300', '25P03']);
/**
 * Text that its type does not take: datetime format, datetime field, time zone, character, regular expression, text
 * representation, untranslatable character. Other codes of class 22 (an overflow, a division by zero) may come
 * from stored values: they are mistakes of a statement.
 */
const TEXT_REFUSED = new Set(['22007', '22008', '22009', '22021', '2201B', '22P02', '22P05']);
const RETRYABLE = new Set(['40001', '40P01', '55P03']);

/** Translates a failed connection, statement or transaction for the caller. Errors of SQL stay as they are. */
export function translate(error: unknown): unknown {
  if (error instanceof ServiceError) return error;
  const code = codeOf(error);
  if (code === QUERY_CANCELED) return late(error);
  if (isConnectionLoss(error)) return down(error);
  if (isOutOfResources(error)) return unable(error);
  return error;
}

/**
 * {@link translate} for statements that serve a tenant's request: a value that the database refuses is the client's
 * mistake, and becomes a 422. The contract should have refused it first, so the cause goes to the log.
 */
export function translateForClient(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError) || !TEXT_REFUSED.has(error.code ?? '')) return translate(error);
  return new ServiceError('invalid_request', 'A value is not one that can be stored or compared', {
    cause: error,
  });
}

/** The database is not reachable: 503 with Retry-After. */
export function down(cause: unknown): ServiceError {
  return new ServiceError('dependency_down', 'The database is not reachable', {
    retryAfterMs: RETRY_AFTER_MS,
    cause,
  });
}

/** The database is reachable and lacks a resource, such as disk space: 503 with Retry-After. */
function unable(cause: unknown): ServiceError {
  return new ServiceError('dependency_down', 'The database lacks resources for this', {
    retryAfterMs: RETRY_AFTER_MS,
    cause,
  });
}

/** The database seems reachable, and did not answer in time. */
export function late(cause: unknown): ServiceError {
  return new ServiceError('deadline_exceeded', 'The database did not answer in time', {
    retryAfterMs: RETRY_AFTER_MS,
    cause,
  });
}

/** True when the connection failed, not the statement: the statement's outcome is unknown. */
export function isConnectionLoss(error: unknown): boolean {
  const code = codeOf(error);
  if (code !== undefined && (SERVER_UNUSABLE.has(code) || code.startsWith('08'))) return true;
  if (error instanceof pg.DatabaseError) return false;
  if (code !== undefined && /^E[A-Z]+$/.test(code)) return true;
  return (
    error instanceof Error && /^Connection terminated|^timeout expired|not queryable/.test(error.message)
  );
}

/** Insufficient resources (class 53: disk full, out of memory) or a system error (class 58: an I/O error). */
function isOutOfResources(error: unknown): boolean {
  return error instanceof pg.DatabaseError && /^5[38]/.test(error.code ?? '');
}

/** Serialization failure, deadlock or lock not available: the same work may succeed in a new transaction. */
export function isRetryable(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined && RETRYABLE.has(code);
}

/** True for a violated unique constraint or index, of that name when one is given. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  if (!(error instanceof pg.DatabaseError) || error.code !== '23505') return false;
  return constraint === undefined || error.constraint === constraint;
}

/** SQLSTATE or system error code. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
