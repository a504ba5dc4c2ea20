import { dbEnded, dbQuery, dbStarted, type DbRunDiagnostic } from '@novacron/telemetry/diagnostics';
import { translate } from './failure.js';
import { labelsOf, type Call, type Statement } from './statement.js';

/** Runs `work`, publishes how long the statement took, and translates a failure for the caller. */
export async function observed<T>(
  role: 'primary' | 'replica',
  statement: Statement,
  work: () => Promise<T>,
): Promise<T> {
  const run = begin(role, statement);
  try {
    const result = await work();
    publish(role, statement, run.startedAt, undefined);
    return result;
  } catch (error) {
    publish(role, statement, run.startedAt, error);
    throw translate(error);
  } finally {
    dbEnded.publish(run);
  }
}

function begin(role: DbRunDiagnostic['role'], statement: Statement): DbRunDiagnostic {
  const run = { role, statement: statement.name ?? statement.text, startedAt: performance.now() };
  dbStarted.publish(run);
  return run;
}

/**
 * Runs `work`, the statements of one round trip within a transaction, and publishes one diagnostic for each: they
 * share its time. The transaction publishes a failure.
 */
export async function observedEach<T>(calls: readonly Call[], work: () => Promise<T>): Promise<T> {
  const [first] = calls;
  if (first === undefined) return work();
  const run = begin('primary', first.statement);
  try {
    const result = await work();
    for (const { statement } of calls) publish('primary', statement, run.startedAt, undefined);
    return result;
  } finally {
    dbEnded.publish(run);
  }
}

function publish(role: 'primary' | 'replica', statement: Statement, started: number, error: unknown): void {
  const { queryType, table } = labelsOf(statement);
  const diagnostic = { role, queryType, table, durationMs: performance.now() - started };
  const named = { ...diagnostic, statement: statement.name ?? statement.text, text: statement.text };
  dbQuery.publish(error === undefined ? named : { ...named, error });
}
