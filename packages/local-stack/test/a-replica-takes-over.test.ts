import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { freeOffset, StackProcess } from '../src/stack/stack-process.js';
import { waitUntil } from '../src/supervisor/processes.js';
import { fakeRepository } from './fake-repository.js';

let root: string;
let stack: StackProcess;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'novacron-stack-'));
  const repository = fakeRepository(join(root, 'repository'));
  const home = join(root, 'home');
  stack = new StackProcess({ home, offset: await freeOffset(), repository, simHosts: 1, replicas: 2 });
  await stack.start();
});

afterAll(async () => {
  await stack?.remove();
  rmSync(root, { recursive: true, force: true });
});

async function ask<T>(address: string, sql: string): Promise<T[]> {
  const url = new URL(stack.env()['NOVACRON_PG_ADMIN_URL'] ?? '');
  url.host = address;
  const client = new pg.Client({ connectionString: url.href });
  client.on('error', () => undefined); // when the server is killed, the query fails as well
  try {
    await client.connect();
    return (await client.query(sql)).rows as T[];
  } finally {
    await client.end().catch(() => undefined);
  }
}

const primary = () => stack.env()['NOVACRON_PG_PRIMARY'] ?? '';
const replicas = () => (stack.env()['NOVACRON_PG_REPLICAS'] ?? '').split(',');
/** The settings of a service's last start. */
const started = (name: string) =>
  JSON.parse(stack.log(name).trim().split('\n').at(-1) ?? '') as { primary: string; replicas: string };

/** A query that fails during a restart is repeated. */
const becomes = (check: () => Promise<boolean>) => waitUntil(() => check().catch(() => false), 45_000);

async function streaming(): Promise<number> {
  return (await ask(primary(), "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'")).length;
}

describe('a stack with two replicas', () => {
  it('gives both replicas to every service', async () => {
    expect(replicas()).toHaveLength(2);
    expect(started('vm-orchestrator')).toMatchObject({ primary: primary(), replicas: replicas().join(',') });
    expect(await streaming()).toBe(2);
    expect(stack.pid('postgres-replica-2')).toBeDefined();
  });

  it('delays, pauses and resumes a replica by command', async () => {
    const second = replicas()[1] ?? '';
    const shows = (table: string) => ask(second, `SELECT FROM ${table}`).then(() => true);
    expect((await stack.run('replica', 'delay', 'postgres-replica-2', '600000')).code).toBe(0);
    await ask(primary(), 'CREATE TABLE late (id int)');
    expect(await becomes(() => ask(replicas()[0] ?? '', 'SELECT FROM late').then(() => true))).toBe(true);
    await expect(shows('late')).rejects.toThrow(/does not exist/);
    expect((await stack.run('replica', 'delay', 'postgres-replica-2', 'off')).code).toBe(0);
    expect(await becomes(() => shows('late'))).toBe(true);

    expect((await stack.run('replica', 'pause', 'postgres-replica-2')).code).toBe(0);
    expect(await ask(second, 'SELECT pg_is_wal_replay_paused() AS p')).toEqual([{ p: true }]);
    expect((await stack.run('replica', 'resume', 'postgres-replica-2')).code).toBe(0);
    expect(await ask(second, 'SELECT pg_is_wal_replay_paused() AS p')).toEqual([{ p: false }]);
    const unknown = await stack.run('replica', 'pause', 'postgres-replica-3');
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('postgres-replica-1') });
  });
});

describe('a promotion', () => {
  it('makes the replica the primary, fences the old primary and points the services to the new one', async () => {
    const [first, second] = replicas();
    await ask(primary(), 'CREATE TABLE kept (id int)');
    const { code, stderr } = await stack.run('promote', 'postgres-replica-1');
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('is the primary') });
    expect(primary()).toBe(first);
    expect(replicas()).toEqual([second]);
    expect(stack.pid('postgres-primary')).toBeUndefined();
    await ask(primary(), 'INSERT INTO kept VALUES (1)');
    expect(await becomes(async () => (await streaming()) === 1)).toBe(true);
    for (const name of ['gateway', 'vm-orchestrator', 'metrics-ingest', 'cache-invalidator']) {
      expect(started(name)).toMatchObject({ primary: first, replicas: second });
    }
    const [fork] = await ask<{ history: string }>(primary(), 'SELECT novacron.timeline_history() AS history');
    expect(fork?.history).toMatch(/^1\t[0-9A-F]+\/[0-9A-F]+\t/);
    expect((await stack.run('status')).code).toBe(0);
  });

  it('survives a crash of the new primary and a restart of the stack', async () => {
    await stack.kill('postgres-replica-1');
    expect(await becomes(async () => (await ask(primary(), 'SELECT id FROM kept')).length === 1)).toBe(true);
    await stack.run('stop');
    await stack.start();
    await ask(primary(), 'INSERT INTO kept VALUES (2)');
    expect(stack.pid('postgres-primary')).toBeUndefined();
    expect(
      await becomes(async () => (await ask(replicas()[0] ?? '', 'SELECT id FROM kept')).length === 2),
    ).toBe(true);
  });
});
