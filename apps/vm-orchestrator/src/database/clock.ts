import type { Statement } from '@novacron/postgres/database';

/** Reads the clock that {@link databaseNow} follows. It travels with a query that runs about once a second. */
export const DATABASE_TIME: Statement = {
  name: 'database-time',
  table: 'none',
  text: 'SELECT clock_timestamp() AS at',
};

/** A measurement over a slower round trip replaces one that is at most this old only if that one was slower still. */
const FRESH_MS = 10_000;

let measured = { offsetMs: performance.timeOrigin, roundTripMs: Infinity, at: -Infinity };

/**
 * The time by the database's clock, which all orchestrators share. Every stored time, and every time that is compared
 * with a stored one, is this time. Between two measurements it follows the monotonic clock, so that setting the clock
 * of this machine has no effect. Before the first measurement it is the clock of this machine.
 */
export function databaseNow(): Date {
  return new Date(measured.offsetMs + performance.now());
}

/**
 * Records a reading of {@link DATABASE_TIME}.
 * @param sentAt when the query was sent, by `performance.now()`
 */
export function observeDatabaseTime(at: Date, sentAt: number): void {
  const now = performance.now();
  const roundTripMs = now - sentAt;
  if (roundTripMs > measured.roundTripMs && now - measured.at < FRESH_MS) return;
  measured = { offsetMs: at.getTime() - (sentAt + roundTripMs / 2), roundTripMs, at: now };
}
