import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import pg from 'pg';
import { type TestServers, useTestServers } from '../src/servers.js';
import { until } from '../src/wait.js';

const hostA = '01938a00-0000-7000-8000-00000000000a';
const hostB = '01938a00-0000-7000-8000-00000000000b';

let servers: TestServers;
const clients: pg.Client[] = [];
const connections: NatsConnection[] = [];

async function postgres(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  clients.push(client);
  return client;
}

async function nats(user: string): Promise<NatsConnection> {
  const { url, password } = servers.natsLogin(user);
  const nc = await connect({ servers: url, user, pass: password, inboxPrefix: `_INBOX.${user}` });
  connections.push(nc);
  return nc;
}

beforeAll(async () => {
  servers = await useTestServers({ replica: true, redis: true, nats: true });
});

afterAll(async () => {
  await Promise.all(clients.map((client) => client.end()));
  await Promise.all(connections.map((nc) => nc.close()));
  await servers.stop();
});

describe('the test database', () => {
  it('gives each service a schema that no other service can read or create in', async () => {
    const owner = await postgres(servers.roleUrl('gateway', 'owner'));
    await owner.query('CREATE TABLE secrets (id int)');
    const { rows } = await owner.query<{ s: string }>('SELECT current_schema() AS s');
    expect(rows[0]?.s).toBe('gateway');
    for (const kind of ['owner', 'api', 'sys'] as const) {
      const stranger = await postgres(servers.roleUrl('orchestrator', kind));
      await expect(stranger.query('SELECT * FROM gateway.secrets')).rejects.toThrow(/permission denied/);
      await expect(stranger.query('CREATE TABLE gateway.mine (id int)')).rejects.toThrow(/permission denied/);
      await expect(stranger.query('CREATE TABLE public.mine (id int)')).rejects.toThrow(/permission denied/);
    }
  });

  it('shows on the replica what was committed on the primary', async () => {
    const owner = await postgres(servers.roleUrl('metrics', 'owner'));
    await owner.query('CREATE TABLE arrivals (id int)');
    await owner.query('INSERT INTO arrivals VALUES (7)');
    const replica = await postgres(servers.roleUrl('metrics', 'owner', 'replica'));
    const arrived = async () => {
      const { rows } = await replica.query(`SELECT to_regclass('metrics.arrivals') AS t`);
      return rows[0].t !== null && (await replica.query('SELECT id FROM arrivals')).rows[0]?.id === 7;
    };
    await until(arrived);
    await expect(replica.query('INSERT INTO arrivals VALUES (8)')).rejects.toThrow(/read-only/);
  });

  it('counts statements from the first day', async () => {
    const admin = await postgres(servers.adminUrl());
    const { rows } = await admin.query('SELECT count(*)::int AS n FROM pg_stat_statements');
    expect(rows[0].n).toBeGreaterThan(0);
  });
});

describe('NATS users', () => {
  it('let a host be called, and speak for itself', async () => {
    await servers.addHost(hostA);
    await servers.addHost(hostB);
    const [orchestrator, host] = [await nats('orchestrator'), await nats(`host-${hostA}`)];
    orchestrator.subscribe('hosts.*.heartbeat', { callback: (_, m) => void m.respond(`heard ${m.subject}`) });
    host.subscribe(`agents.${hostA}.>`, { callback: (_, m) => void m.respond('done') });
    await Promise.all([orchestrator.flush(), host.flush()]);
    expect((await orchestrator.request(`agents.${hostA}.command`, '')).string()).toBe('done');
    expect((await host.request(`hosts.${hostA}.heartbeat`, '')).string()).toBe(
      `heard hosts.${hostA}.heartbeat`,
    );
  });

  it('refuse a host that speaks or listens for another host', async () => {
    const host = await nats(`host-${hostB}`);
    for (const subject of [`hosts.${hostA}.report`, `metrics.ingest.3.${hostA}`, 'events.t.vm.1']) {
      await expect(host.request(subject, '', { timeout: 1000 })).rejects.toThrow(/permissions violation/i);
    }
    for (const subject of [`agents.${hostA}.command`, '_INBOX.gateway.>', `_INBOX.host-${hostA}.>`]) {
      const refused = new Promise((done) =>
        host.subscribe(subject, { callback: (error) => done(error?.message) }),
      );
      expect(await refused).toMatch(/permissions violation/i);
    }
  });

  it('let a service answer on its own subjects alone', async () => {
    const [gateway, metrics] = [await nats('gateway'), await nats('metrics')];
    metrics.subscribe('rpc.metrics.range.read', {
      queue: 'metrics',
      callback: (_, m) => void m.respond('points'),
    });
    await metrics.flush();
    expect((await gateway.request('rpc.metrics.range.read', '')).string()).toBe('points');
    const refused = new Promise((done) =>
      metrics.subscribe('rpc.orchestrator.vm.read', { callback: (error) => done(error?.message) }),
    );
    expect(await refused).toMatch(/permissions violation/i);
  });
});

describe('environment', () => {
  it('names every server for a service', () => {
    expect(Object.keys(servers.env('gateway')).sort()).toMatchInlineSnapshot(`
[
  "NOVACRON_CONSISTENCY_KEY",
  "NOVACRON_HOME",
  "NOVACRON_HTTP_HOST",
  "NOVACRON_HTTP_PORT",
  "NOVACRON_LOG_LEVEL",
  "NOVACRON_NATS_PASSWORD",
  "NOVACRON_NATS_URL",
  "NOVACRON_NATS_USER",
  "NOVACRON_OPS_HOST",
  "NOVACRON_OPS_PORT",
  "NOVACRON_PG_API_PASSWORD",
  "NOVACRON_PG_DATABASE",
  "NOVACRON_PG_OWNER_PASSWORD",
  "NOVACRON_PG_PRIMARY",
  "NOVACRON_PG_REPLICAS",
  "NOVACRON_PG_SYS_PASSWORD",
  "NOVACRON_REDIS_URL",
  "NOVACRON_TOKEN_HASH_KEY",
]
`);
  });
});
