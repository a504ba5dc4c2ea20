import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { useTestStack, type TestStack } from '@novacron/testkit/stack';
import { readUntil } from '@novacron/testkit/wait';
import pg from 'pg';
import { Api, guideBody, type ProblemBody, type VmBody } from './support/api.js';

let stack: TestStack;
let api: Api;
let file: string;

beforeAll(async () => {
  stack = await useTestStack({ replicas: 1, simHosts: 4 });
  api = new Api(stack.url, stack.token);
  file = join(stack.home, 'monday.backup');
}, 180_000);
afterAll(() => stack?.remove(), 90_000);

async function sql<Row extends pg.QueryResultRow>(text: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: stack.env()['NOVACRON_PG_ADMIN_URL'] });
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}

const generation = async () =>
  Number(
    (await sql<{ generation: string }>('SELECT generation FROM orchestrator.control_plane'))[0]?.generation,
  );

/** Creates a running VM. @returns it with the token of its creation */
async function running(name: string): Promise<{ id: string; token: string }> {
  const created = await api.create(guideBody(name));
  expect(created.status).toBe(201);
  expect((await api.wait(created.body.id, 'running', 60)).status).toBe(200);
  return { id: created.body.id, token: created.headers.get('NovaCron-Consistency-Token') as string };
}

async function gone(id: string): Promise<void> {
  await api.remove(id);
  await readUntil(
    () => api.vm(id),
    ({ status, body }) => status === 404 || body.state === 'deleted',
    60_000,
  );
}

const at = (token: string) => ({ 'NovaCron-Consistency-Token': token });
const refused = async (...args: string[]) => {
  const { code, stderr } = await stack.run(...args);
  return { code, stderr: stderr.trim().split('\n').at(-1) };
};

describe('a database that was destroyed and restored', () => {
  it('has its old content, and the fleet converges to it', async () => {
    const kept = await running('kept');
    const changed = await running('changed');
    const deleted = await running('deleted');
    expect(await stack.run('backup', file)).toMatchObject({ code: 0, stderr: expect.stringContaining('MB') });
    expect(statSync(file).mode & 0o077).toBe(0);
    expect(await refused('backup', file)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('exists'),
    });

    // The timeline that will be lost uses fences, epochs, event numbers and capacity.
    const lost = await running('lost');
    for (const verb of ['stop', 'start', 'stop']) {
      await api.act(changed.id, verb);
      await api.wait(changed.id, verb === 'stop' ? 'stopped' : 'running', 60);
    }
    await gone(deleted.id);
    const newest = (await api.vm(lost.id)).headers.get('NovaCron-Consistency-Token') as string;
    const [before] = await sql<{ seq: string }>('SELECT seq FROM orchestrator.outbox_counter');

    expect(await refused('restore', file)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('runs in'),
    });
    await stack.signal('SIGTERM');
    expect(await stack.run('restore', file)).toMatchObject({ code: 0 });
    await stack.start();
    api = new Api(stack.url, stack.token);

    // The content of the backup exists, later changes do not.
    expect((await api.vm(kept.id)).body).toMatchObject({ name: 'kept', state: 'running' });
    expect((await api.vm(lost.id)).status).toBe(404);
    expect((await sql<{ seq: string }>('SELECT seq FROM orchestrator.outbox_counter'))[0]).not.toEqual(
      before,
    );
    expect(await generation()).toBeGreaterThan(1_000_000);

    // Tokens of the lost timeline are refused, new tokens are honoured.
    for (const token of [kept.token, newest]) {
      const answer = await api.vm(kept.id, at(token));
      expect({ status: answer.status, code: (answer.body as unknown as ProblemBody).code }).toEqual({
        status: 409,
        code: 'history_lost',
      });
    }
    expect((await api.vm(kept.id)).status).toBe(200);

    // The hosts report the truth: VMs that were stopped or deleted meanwhile, and VMs unknown to the database.
    await readUntil(
      () => api.vm(changed.id),
      ({ body }) => body.state === 'stopped',
      90_000,
    );
    await readUntil(
      () => api.vm(deleted.id),
      ({ body }) => body.lastError?.code === 'guest_lost',
      90_000,
    );
    const strangers = () => sql<{ vm_id: string }>('SELECT vm_id FROM orchestrator.quarantine');
    await readUntil(strangers, (rows) => rows.some(({ vm_id }) => vm_id === lost.id), 90_000);
    const opsPort = Number(new URL(stack.url).port) - 8080 + 9101;
    const metrics = await (await fetch(`http://127.0.0.1:${opsPort}/metrics`)).text();
    expect(metrics).toMatch(/^novacron_quarantined_guests\S* 1$/m);

    // Every VM accepts actions: commands have higher fences than the lost timeline, and cached reads show the change.
    expect((await api.act(changed.id, 'start')).status).toBe(202);
    expect((await api.wait(changed.id, 'running', 60)).status).toBe(200);
    await gone(deleted.id);
    const fresh = await running('fresh');
    const seen = await api.vm(fresh.id, at(fresh.token));
    expect(seen.body).toMatchObject({ name: 'fresh' });
    const names = (await api.list('')).filter(({ state }) => state !== 'deleted').map(({ name }) => name);
    expect(names.sort()).toEqual(['changed', 'fresh', 'kept']);

    // Consumers continue with event numbers that the lost timeline had used, without gaps or stale events.
    const operator = new Api(stack.url, stack.operatorToken);
    const stats = () =>
      operator.get<{ service: { ledger: { missing: number; contiguousSeq: number; highestSeq: number } } }>(
        '/api/v1/cache/stats',
      );
    const [counter] = await sql<{ seq: string }>('SELECT seq FROM orchestrator.outbox_counter');
    await readUntil(
      async () => (await sql<{ contiguous: string }>('SELECT contiguous FROM cache.progress'))[0],
      (row) => Number(row?.contiguous) >= Number(counter?.seq),
      60_000,
    );
    expect((await stats()).status).toBe(200);
  }, 420_000);

  it('is unchanged after a restore from a file that is not a backup, belongs to another database, or is truncated', async () => {
    await stack.signal('SIGTERM');
    const noise = join(stack.home, 'noise');
    writeFileSync(noise, 'not a dump');
    const cut = join(stack.home, 'cut');
    const whole = readFileSync(file);
    writeFileSync(cut, whole.subarray(0, whole.length - 2_000)); // its table of contents is at its head
    for (const [bad, why] of [
      [join(stack.home, 'nowhere'), 'does not exist'],
      [noise, 'is not a backup'],
      [cut, 'the restore of'],
    ] as const) {
      expect(await refused('restore', bad)).toEqual({ code: 1, stderr: expect.stringContaining(why) });
    }
    const data = readdirSync(join(stack.home, 'data'));
    expect(data.filter((name) => name.includes('before-restore'))).toHaveLength(1);
    expect(data.filter((name) => /restoring|restored/.test(name))).toEqual([]);
    expect(existsSync(join(stack.home, 'data', 'postgres-primary', 'PG_VERSION'))).toBe(true);
    await stack.start();
    const { body } = await api.get<{ items: VmBody[] }>('/api/v1/vms?limit=500');
    expect(body.items.map(({ name }) => name)).toContain('fresh');
  }, 180_000);
});
