import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { asAdmin } from '@novacron/local-stack/servers/postgres-admin';
import { createDatabase, type Database, type Statement } from '@novacron/postgres/database';
import { type TestServers, useTestServers } from '@novacron/testkit/servers';
import type { ReplicaName, TestCluster } from '@novacron/testkit/test-cluster';
import { until } from '@novacron/testkit/wait';

const GET: Statement = { name: 'get', text: 'SELECT version FROM things WHERE id = $1' };
const SET: Statement = { name: 'set', text: 'UPDATE things SET version = $2 WHERE id = $1' };

let servers: TestServers;
let cluster: TestCluster;
const open: Database[] = [];

function connect(primary: number, replicas: readonly number[]): Database {
  const at = (port: number) => ({ host: '127.0.0.1', port });
  const database = createDatabase({
    primary: at(primary),
    replicas: replicas.map(at),
    database: servers.database,
    schema: 'orchestrator',
    role: 'sys',
    password: cluster.file.roles.orchestrator.sys,
  });
  open.push(database);
  return database;
}

async function versionFrom(session: ReturnType<Database['replica']>) {
  const { rows, servedFrom } = await session.query<{ version: number }>(GET, ['v']);
  return { version: rows[0]?.version, servedFrom };
}

beforeAll(async () => {
  servers = await useTestServers({ replicas: 2 });
  cluster = servers.cluster as TestCluster;
  await asAdmin(cluster.file, servers.database, (client) =>
    client.query(`CREATE TABLE orchestrator.things (id text PRIMARY KEY, version bigint);
                  GRANT ALL ON orchestrator.things TO orchestrator_sys;
                  INSERT INTO orchestrator.things VALUES ('v', 1)`),
  );
});

afterAll(async () => {
  await Promise.all(open.map((database) => database.close()));
  await servers?.stop();
});

describe('two replicas', () => {
  it('share the reads, and a lagging replica is skipped until it has caught up', async () => {
    const database = connect(cluster.file.port, [
      cluster.replicaPort('replica'),
      cluster.replicaPort('replica-2'),
    ]);
    await until(() => database.stats().replicas.every((replica) => replica.healthy));
    const reads = () => database.stats().replicas.map((replica) => replica.reads);
    await until(async () => {
      await versionFrom(database.replica());
      return Math.min(...reads()) > 10;
    });

    await cluster.delay('replica-2', 600_000);
    await cluster.pause('replica-2');
    const { position } = await database.primary.batch({}, [{ statement: SET, params: ['v', 2] }]);
    await until(async () => (await versionFrom(database.replica(position))).servedFrom === 'replica');
    const before = reads();
    for (let n = 0; n < 20; n++) {
      expect((await versionFrom(database.replica(position))).version).toBe(2);
    }
    expect(reads()[1]).toBe(before[1]);
    await cluster.delay('replica-2', null);
    await cluster.resume('replica-2');
    await until(async () => {
      await versionFrom(database.replica(position));
      return (reads()[1] ?? 0) > (before[1] ?? 0);
    });
  });
});

describe('after a promotion', () => {
  it('tokens from before the fork are answered, and later tokens get history_lost', async () => {
    const old = connect(cluster.file.port, []);
    const kept = await old.primary.batch({}, [{ statement: SET, params: ['v', 3] }]);
    const caughtUp = (which: ReplicaName) =>
      asAdmin(cluster.replicaOptions(which), servers.database, async (client) => {
        const { rows } = await client.query<{ v: string }>(
          "SELECT version AS v FROM orchestrator.things WHERE id = 'v'",
        );
        return Number(rows[0]?.v) === 3;
      });
    await until(() => caughtUp('replica'));
    // Replication ends here, so later writes are lost with the primary.
    await asAdmin(cluster.file, 'postgres', async (client) => {
      await client.query('ALTER ROLE novacron_replication NOLOGIN');
      await client.query('SELECT pg_terminate_backend(pid) FROM pg_stat_replication');
    });
    const lost = await old.primary.batch({}, [{ statement: SET, params: ['v', 4] }]);
    await cluster.end('primary', 'kill');
    await cluster.promote('replica');

    const database = connect(cluster.replicaPort('replica'), []);
    for (let n = 0; n < 50; n++) await database.primary.batch({}, [{ statement: SET, params: ['w', n] }]);
    expect(await versionFrom(database.replica(kept.position))).toEqual({ version: 3, servedFrom: 'primary' });
    await expect(versionFrom(database.replica(lost.position))).rejects.toMatchObject({
      code: 'history_lost',
    });
    const next = await database.primary.batch({}, [{ statement: SET, params: ['v', 5] }]);
    expect(next.position.timeline).toBe(kept.position.timeline + 1);
    expect(await versionFrom(database.replica(next.position))).toMatchObject({ version: 5 });
    expect(await versionFrom(database.strong)).toMatchObject({ version: 5 });
  });
});
