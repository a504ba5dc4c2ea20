import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { natsEnv, opsEnv, postgresEnv, telemetryEnv } from '@novacron/config/fragments';
import { createDatabase, type Database } from '@novacron/postgres/database';
import type { Migration } from '@novacron/postgres/migrate';
import { createLogger } from '@novacron/telemetry/logger';
import { useTestServers, type TestServers } from '@novacron/testkit/servers';
import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startService, type RunningService, type ServiceSpec } from '../src/run.js';
import { AddNumbers1700000000000 } from './add-numbers.js';
import { get } from './child.js';

@Module({})
class EmptyModule {}

const program = fileURLToPath(new URL('./migrate-service.mjs', import.meta.url));
const settings = { ...opsEnv, ...telemetryEnv, ...natsEnv, ...postgresEnv };
const service: ServiceSpec<typeof settings> = {
  name: 'orchestrator',
  settings,
  postgres: { schema: 'orchestrator', migrations: [AddNumbers1700000000000 as unknown as Migration] },
  module: EmptyModule,
};
let servers: TestServers;
let running: RunningService | undefined;

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The environment of a deployment's migration job: the server and the owner's password. */
function migrateEnv(): Record<string, string | undefined> {
  const { NOVACRON_PG_PRIMARY, NOVACRON_PG_DATABASE, NOVACRON_PG_OWNER_PASSWORD } =
    servers.env('orchestrator');
  return { PATH: process.env['PATH'], NOVACRON_PG_PRIMARY, NOVACRON_PG_DATABASE, NOVACRON_PG_OWNER_PASSWORD };
}

function migrate(env = migrateEnv()): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [program], { env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

/** The environment of a service whose schema is migrated by a job. */
function serviceEnv(): Record<string, string> {
  const { NOVACRON_PG_OWNER_PASSWORD: _owner, ...rest } = servers.env('orchestrator');
  return { ...rest, NOVACRON_PG_MIGRATE: 'false' };
}

const ready = () => get(`http://127.0.0.1:${serviceEnv()['NOVACRON_OPS_PORT']}/ready`);

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error('not in time');
    await sleep(50);
  }
}

function owner(): Database {
  const [host = '', port] = String(migrateEnv()['NOVACRON_PG_PRIMARY']).split(':');
  return createDatabase({
    primary: { host, port: Number(port) },
    database: servers.database,
    schema: 'orchestrator',
    role: 'owner',
    password: String(migrateEnv()['NOVACRON_PG_OWNER_PASSWORD']),
    max: 1,
  });
}

async function asOwner(sql: string): Promise<void> {
  const database = owner();
  await database.transaction({}, (tx) => tx.query({ text: sql }));
  await database.close();
}

beforeAll(async () => {
  servers = await useTestServers({ nats: true });
}, 60_000);
afterAll(() => servers.stop());
afterEach(async () => {
  await running?.stop();
  running = undefined;
  await asOwner('DROP TABLE IF EXISTS orchestrator.numbers, orchestrator.migrations');
});

describe('the migrate program', () => {
  it('runs each migration once when two start together, and none afterwards', async () => {
    const two = await Promise.all([migrate(), migrate()]);
    expect(two.map(({ code }) => code)).toEqual([0, 0]);
    expect(two.map(({ stdout }) => stdout).sort()).toEqual([
      'migrate orchestrator: is current\n',
      'migrate orchestrator: ran AddNumbers1700000000000\n',
    ]);
    expect(await migrate()).toEqual({ code: 0, stdout: 'migrate orchestrator: is current\n', stderr: '' });
  });

  it('prints the reason of a failure in one line', async () => {
    const nowhere = await migrate({ ...migrateEnv(), NOVACRON_PG_PRIMARY: '127.0.0.1:1' });
    expect(nowhere).toMatchObject({ code: 1, stdout: '' });
    expect(nowhere.stderr).toMatch(/^migrate orchestrator: .*ECONNREFUSED 127\.0\.0\.1:1\n$/);

    const refused = await migrate({ ...migrateEnv(), NOVACRON_PG_OWNER_PASSWORD: 'wrong' });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/^migrate orchestrator: .*password.*\n$/);

    const unset = await migrate({ ...migrateEnv(), NOVACRON_PG_OWNER_PASSWORD: undefined });
    expect(unset.code).toBe(1);
    expect(unset.stderr).toContain('NOVACRON_PG_OWNER_PASSWORD is missing');
  });
});

describe('a service that leaves migrations to a job', () => {
  it('waits for a missing schema without its owner’s password, and continues by itself', async () => {
    const starting = startService(service, { env: serviceEnv(), logger: createLogger('test', 'silent') });
    await until(async () => (await ready()).body.includes('waits for 1 migrations, AddNumbers1700000000000'));
    expect((await ready()).status).toBe(503);
    expect((await migrate()).code).toBe(0);
    running = await starting;
    expect((await ready()).status).toBe(200);
  });

  it('starts at once when a newer version has migrated the schema', async () => {
    await migrate();
    await asOwner("INSERT INTO orchestrator.migrations (timestamp, name) VALUES (1800000000000, 'Later')");
    running = await startService(service, { env: serviceEnv(), logger: createLogger('test', 'silent') });
    expect((await ready()).status).toBe(200);
  });
});
