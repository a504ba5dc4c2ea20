import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '@novacron/testkit/wait';
import type { Database } from '../src/database.js';
import { QueryMonitor } from '../src/query-monitor.js';
import { STATISTICS_SQL, statisticsGrant } from '@novacron/provisioning/statistics-sql';
import { COUNT, INSERT, startPostgresHarness, TENANT_A, type PostgresHarness } from './postgres-harness.js';

let harness: PostgresHarness;
let api: Database;
let sys: Database;
const told: [object, string][] = [];
const log = { warn: (about: object, message: string) => void told.push([about, message]) };

async function asAdmin(...statements: string[]): Promise<void> {
  const admin = harness.cluster.admin();
  await admin.connect();
  for (const sql of statements) await admin.query(sql);
  await admin.end();
}

beforeAll(async () => {
  harness = await startPostgresHarness();
  await asAdmin("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'");
  harness.cluster.primary.stop();
  harness.cluster.primary.start();
  await asAdmin('CREATE EXTENSION pg_stat_statements', STATISTICS_SQL, statisticsGrant('orchestrator_sys'));
  api = harness.open('api');
  sys = harness.open('sys');
});
afterAll(() => harness?.stop());

describe('the query monitor', () => {
  it('reports hit ratio, scans, connections and what pg_stat_statements has of the service', async () => {
    const own = { tenantId: TENANT_A };
    await api.primary.batch(own, [{ statement: INSERT, params: [TENANT_A, 'a', 1] }]);
    for (let n = 0; n < 5; n++) await api.replica().query(COUNT, [], own);
    const monitor = new QueryMonitor({ api, sys, log });
    await monitor.collect();
    const { server, servers, pools, error } = monitor.report();
    expect(error).toBeUndefined();
    expect(server?.hitRatio).toBeGreaterThan(0);
    expect(server?.hitRatio).toBeLessThanOrEqual(1);
    expect(server?.connections['active']).toBeGreaterThan(0);
    expect(server?.tables).toContainEqual(expect.objectContaining({ table: 'things' }));
    const texts = server?.statements?.map((row) => (row as { query: string }).query);
    expect(texts).toContain(COUNT.text);
    expect(server?.statements?.[0]).toHaveProperty('totalMs');
    expect(servers).toEqual([expect.objectContaining({ role: 'primary', reads: 5 })]);
    expect(pools.map(({ pool }) => pool)).toEqual(['orchestrator-api-primary', 'orchestrator-sys-primary']);
  });

  it('logs a query of the service once when it runs for over five seconds', async () => {
    const monitor = new QueryMonitor({ api, sys, log });
    const query = 'SELECT pg_sleep(25)';
    const ended = api.primary.query({ text: query }).catch((error: unknown) => error);
    await until(async () => {
      await monitor.collect();
      return monitor.report().server?.longRunning.length !== 0;
    });
    await monitor.collect();
    const about = { role: 'orchestrator_api', query };
    expect(monitor.report().server?.longRunning).toEqual([expect.objectContaining(about)]);
    expect(told).toEqual([[expect.objectContaining(about), 'query is running for long in Postgres']]);
    await asAdmin(`SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query = '${query}'`);
    expect(await ended).toMatchObject({ code: 'deadline_exceeded' });
  });

  it('reports the missing functions when bootstrap.sql of an earlier version made the roles', async () => {
    await asAdmin('DROP FUNCTION novacron.service_sessions, novacron.service_statements');
    const monitor = new QueryMonitor({ api, sys, log });
    await monitor.collect();
    const { server, error } = monitor.report();
    expect(error).toContain('bootstrap.sql');
    expect(server).toMatchObject({ connections: {}, longRunning: [], statements: null });
    expect(server?.tables).toContainEqual(expect.objectContaining({ table: 'things' }));
  });

  it('reports the error while Postgres is away, and keeps its last report', async () => {
    const monitor = new QueryMonitor({ api, sys, log });
    await monitor.collect();
    harness.cluster.primary.stop('immediate');
    await monitor.collect();
    const { server, error } = monitor.report();
    expect(error).toContain('not reachable');
    expect(server).not.toBeNull();
  });
});
