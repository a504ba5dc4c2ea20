import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { useTestStack, type TestStack } from '@novacron/testkit/stack';
import { readUntil } from '@novacron/testkit/wait';
import pg from 'pg';

let stack: TestStack;

beforeAll(async () => {
  stack = await useTestStack({ replicas: 1, simHosts: 2 });
}, 180_000);
afterAll(() => stack?.remove());

async function call(method: 'GET' | 'POST', path: string, token?: string | null, body?: object) {
  const response = await fetch(`${stack.url}/api/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${stack.token}`,
      ...(body ? { 'content-type': 'application/json' } : {}),
      ...(token ? { 'NovaCron-Consistency-Token': token } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  const answer = (await response.json()) as { id: string; name: string; code?: string };
  return { status: response.status, token: response.headers.get('NovaCron-Consistency-Token'), answer };
}

const create = (name: string) =>
  call('POST', '/vms', undefined, { name, config: { cpu: 1, memory: 512, disk: 5, image: 'ubuntu-22.04' } });

describe('a replica after the promote command', () => {
  it('answers tokens from before the fork, refuses later tokens with 409, and accepts writes', async () => {
    const kept = await create('kept');
    expect(kept.status).toBe(201);
    const admin = new pg.Client({ connectionString: stack.env()['NOVACRON_PG_ADMIN_URL'] });
    admin.on('error', () => undefined); // the promotion ends its server
    await admin.connect();
    const { rows: flushed } = await admin.query<{ lsn: string }>(
      'SELECT pg_current_wal_flush_lsn()::text AS lsn',
    );
    await readUntil(
      () =>
        admin.query<{ there: boolean }>('SELECT replay_lsn >= $1::pg_lsn AS there FROM pg_stat_replication', [
          flushed[0]?.lsn,
        ]),
      ({ rows }) => rows[0]?.there === true,
    );
    // Replication ends here, so later writes are lost with the primary.
    await admin.query('ALTER ROLE novacron_replication NOLOGIN');
    await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_replication');
    const lost = await create('lost');
    expect(lost.status).toBe(201);

    const { code, stderr } = await stack.run('promote', 'postgres-replica-1');
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('is the primary') });

    const path = `/vms/${kept.answer.id}`;
    expect(await call('GET', path, kept.token)).toMatchObject({ status: 200, answer: { name: 'kept' } });
    expect(await call('GET', path, lost.token)).toMatchObject({
      status: 409,
      answer: { code: 'history_lost' },
    });
    expect((await call('GET', `/vms/${lost.answer.id}`)).status).toBe(404);
    const next = await create('next');
    expect(next.status).toBe(201);
    expect((await call('GET', `/vms/${next.answer.id}`, next.token)).status).toBe(200);
  });
});
