import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseWatch } from './database-watch.js';
import { dbEnded, dbQuery, dbStarted } from './diagnostics.js';
import { createLogger } from './logger.js';
import { metricsText } from './metrics.js';
import { normalise, SlowStatements } from './slow-statements.js';
import { startTelemetry } from './start.js';
import { activeTrace, withSpan } from './trace.js';

const lines: Record<string, unknown>[] = [];
const sink = new Writable({
  write(chunk: Buffer, _, done) {
    lines.push(JSON.parse(chunk.toString()) as Record<string, unknown>);
    done();
  },
});

let telemetry: Awaited<ReturnType<typeof startTelemetry>>;
let watch: DatabaseWatch;
beforeAll(async () => {
  telemetry = await startTelemetry({ service: 'test', traceRatio: 1 });
  watch = new DatabaseWatch(createLogger('test', 'info', sink), { longMs: 40, sweepMs: 10 });
});
afterAll(() => telemetry.stop());

describe('slow statements', () => {
  it('are counted by text with count, total, largest and smallest time; quick ones are not', () => {
    const query = { role: 'primary', queryType: 'select', table: 'vms', statement: 'get_vm' } as const;
    for (const durationMs of [99, 150, 250])
      dbQuery.publish({ ...query, text: 'SELECT 1 FROM vms', durationMs });
    dbQuery.publish({ ...query, text: 'SELECT  2\n FROM vms', durationMs: 200 });
    expect(watch.slow()).toEqual([
      { text: 'SELECT ? FROM vms', count: 3, totalMs: 600, maxMs: 250, minMs: 150 },
    ]);
  });

  it('are in the metrics by verb and table', async () => {
    expect(await metricsText()).toContain('database_slow_queries_total{query_type="select",table="vms"} ');
  });

  it('are normalised: they do not differ by values and line breaks, and a parameter is not a value', () => {
    expect(
      normalise("SELECT *\n  FROM t WHERE a = 'it''s' AND b IN (1, 2.5, 3) AND c = $12 AND v1 = 7"),
    ).toBe('SELECT * FROM t WHERE a = ? AND b IN (?) AND c = $12 AND v1 = ?');
  });

  it('are bounded: the one that took least time in all gives way', () => {
    const kept = new SlowStatements(2);
    kept.add('a', 500);
    kept.add('b', 100);
    kept.add('c', 300);
    expect(kept.list().map(({ text }) => text)).toEqual(['a', 'c']);
  });
});

describe('a query that runs for long', () => {
  it('is logged once while it runs, with the trace of the work that it is for, and shown until it ends', async () => {
    const run = { role: 'primary', statement: 'get_vm', startedAt: performance.now() } as const;
    const traceId = withSpan('work', {}, () => {
      dbStarted.publish(run);
      return activeTrace()?.traceId;
    });
    while (watch.longRunning().length === 0) await sleep(10);
    await sleep(60);
    expect(traceId).toBeDefined();
    expect(watch.longRunning()).toEqual([expect.objectContaining({ statement: 'get_vm', traceId })]);
    expect(await metricsText()).toContain('database_long_running_queries 1');
    dbEnded.publish(run);
    expect(watch.longRunning()).toEqual([]);
    expect(lines.filter(({ msg }) => msg === 'query is running for long')).toEqual([
      expect.objectContaining({ level: 'warn', statement: 'get_vm', traceId }),
    ]);
  });
});
