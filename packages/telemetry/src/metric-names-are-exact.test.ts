import { beforeAll, describe, expect, it } from '@jest/globals';
import { dbPool, dbPoolWait, dbQuery, rpc } from './diagnostics.js';
import { counter, gauge, histogram, metricsText, observableGauge } from './metrics.js';
import { startTelemetry } from './start.js';

const lines = async () => (await metricsText()).split('\n');

beforeAll(async () => {
  await startTelemetry({ service: 'test' });
});

describe('metric names', () => {
  it('come out exactly as given, without scope, target or unit', async () => {
    counter('novacron_things_total', 'Things').add(2, { kind: 'a' });
    gauge('novacron_level_bytes', 'A level').set(7);
    observableGauge('novacron_read_late', 'Read late', (observe) => observe(3, { of: 'x' }));
    histogram('novacron_spread_seconds', 'A spread', [0.5, 1]).record(0.7);
    const text = await metricsText();
    expect(text).toContain('novacron_things_total{kind="a"} 2\n');
    expect(text).toContain('# TYPE novacron_things_total counter\n');
    expect(text).toContain('novacron_level_bytes 7\n');
    expect(text).toContain('novacron_read_late{of="x"} 3\n');
    expect(text).toContain('novacron_spread_seconds_bucket{le="0.5"} 0\n');
    expect(text).toContain('novacron_spread_seconds_bucket{le="1"} 1\n');
    expect(text).not.toMatch(/otel_scope|target_info/);
  });

  it('are announced before there is a value', async () => {
    const silent = counter('novacron_silent_total', 'Nothing yet');
    const announcement = '# HELP novacron_silent_total Nothing yet\n# TYPE novacron_silent_total counter\n';
    expect(await metricsText()).toContain(announcement);
    silent.add(1, { kind: 'a' });
    const text = await metricsText();
    expect(text).toContain(`${announcement}novacron_silent_total{kind="a"} 1\n`);
    expect(text.split('# TYPE novacron_silent_total ')).toHaveLength(2);
  });

  it('that would be changed on the way out are refused', () => {
    expect(() => gauge('a__b', '')).toThrow('bad metric name');
    expect(() => gauge('a.b', '')).toThrow('bad metric name');
  });

  it('of queries are the guide’s, with its labels and buckets', async () => {
    dbQuery.publish({ role: 'primary', queryType: 'select', table: 'vms', durationMs: 3 });
    dbQuery.publish({
      role: 'primary',
      queryType: 'select',
      table: 'vms',
      durationMs: 3,
      error: new Error('x'),
    });
    const text = await lines();
    const buckets = text
      .filter((line) => line.startsWith('database_query_duration_seconds_bucket'))
      .map((line) => /,le="([^"]+)"/.exec(line)?.[1]);
    expect(buckets).toEqual(['0.001', '0.005', '0.01', '0.025', '0.05', '0.1', '0.25', '0.5', '1', '+Inf']);
    expect(text).toContain('database_query_duration_seconds_count{query_type="select",table="vms"} 2');
    expect(text).toContain('database_query_errors_total{query_type="select",table="vms"} 1');
  });

  it('of pools show every open pool, and none that was closed', async () => {
    let closed = false;
    const read = () => ({ max: 10, inUse: 3, idle: 2, waiting: 1 });
    dbPool.publish({ pool: 'api', read, closed: () => closed });
    dbPool.publish({ pool: 'api', read, closed: () => false });
    dbPoolWait.publish({ pool: 'api', waitMs: 2 });
    expect(await lines()).toEqual(
      expect.arrayContaining([
        'database_active_connections{pool="api"} 6',
        'database_idle_connections{pool="api"} 4',
        'database_pool_waiting{pool="api"} 2',
        'database_pool_wait_duration_seconds_count{pool="api"} 1',
      ]),
    );
    closed = true;
    expect(await lines()).toContain('database_active_connections{pool="api"} 3');
  });

  it('of request/reply carry side, subject and code', async () => {
    rpc.publish({ side: 'client', subject: 'rpc.a.b.c', code: 'ok', durationMs: 4 });
    expect(await lines()).toContain(
      'novacron_rpc_duration_seconds_count{side="client",subject="rpc.a.b.c",code="ok"} 1',
    );
  });

  it('of the runtime are the usual ones', async () => {
    const text = await metricsText();
    for (const name of [
      'process_cpu_seconds_total',
      'process_resident_memory_bytes',
      'process_start_time_seconds',
      'nodejs_eventloop_lag_p99_seconds',
      'nodejs_heap_size_used_bytes',
      'nodejs_heap_size_limit_bytes',
    ]) {
      expect(text).toMatch(new RegExp(`^${name} [0-9.e+-]+$`, 'm'));
    }
  });
});
