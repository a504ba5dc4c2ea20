import type { Statement } from '@novacron/postgres/database';

/** Reads the clock that {@link databaseNow} follows. To be read with a query that is made about every second. */
export const DATABASE_TIME: Statement = {
  name: 'database-time',
  table: 'none',
  text: 'SELECT clock_timestamp() AS at',
};

/** A measurement over a slower round trip replaces one that is at most this old only if that one was slower still. */
const FRESH_MS = 10_000;

let measured = { offsetMs: performance.timeOrigin, roundTripMs: Infinity, at: -Infinity };

/**
 * The time by the database's clock, the one that all orchestrators share. What is stored, and what is compared with
 * something stored, is this time. It runs on by the monotonic clock between two measurements, so that setting the
 * clock of this machine has no effect. Before the first measurement it is the clock of this machine.
 */
export function databaseNow(): Date {
  return new Date(measured.offsetMs + performance.now());
}

/**
 * Takes in a reading of {@link DATABASE_TIME}.
 * @param sentAt when the query was sent, by `performance.now()`
 */
export function observeDatabaseTime(at: Date, sentAt: number): void {
  const now = performance.now();
  const roundTripMs = now - sentAt;
  if (roundTripMs > measured.roundTripMs && now - measured.at < FRESH_MS) return;
  measured = { offsetMs: at.getTime() - (sentAt + roundTripMs / 2), roundTripMs, at: now };
}
