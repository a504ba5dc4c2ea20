import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId, type TenantId } from '@novacron/contracts/ids';
import { REPLY_BYTES } from '@novacron/contracts/reply-size';
import { Vm, VmListQuery, VmPage } from '@novacron/contracts/vms';
import type { Database } from '@novacron/postgres/database';
import { TOKENS } from '@novacron/service-kit/inject';
import { readUntil, until } from '@novacron/testkit/wait';
import { select } from '../src/vms/list.js';
import { vmEvent } from '../src/vms/change.js';
import { encodeCursor } from '../src/database/keyset.js';
import type { VmRow } from '../src/vms/row.js';
import { VM_STATES } from '@novacron/vm-lifecycle/states';
import { VmReads } from '../src/vms/vm-reads.js';
import { OrchestratorHarness } from './support/orchestrator-harness.js';

let harness: OrchestratorHarness;
beforeAll(async () => {
  harness = await OrchestratorHarness.start();
  await harness.addHost(undefined, ['user-data']);
});
afterAll(() => harness.stop());

async function list(query: Record<string, unknown> = {}, tenantId = harness.tenantId) {
  const reply = await harness
    .get(VmReads)
    .list(harness.meta({ tenantId, consistency: 'strong' }), VmListQuery.parse(query));
  return VmPage.parse(JSON.parse(reply.body.json));
}

const STATES = VM_STATES.filter((state) => state !== 'deleted');

/** Two VMs for each state: one without optional fields, one with all of them. */
async function inEveryState(tenantId: TenantId): Promise<void> {
  const at = new Date('2026-11-23T16:30:00.120Z');
  const task = { jobId: newId(), kind: 'resize', step: 's', stepIndex: 1, stepCount: 3, deadline: at };
  const full = {
    host_id: newId(),
    tags: { owner: 'ü\\ "q"', a: '' },
    task,
    conditions: [{ type: 'Ready', status: 'false', reason: 'r', message: 'a\n"b"', lastTransitionAt: at }],
    stop_reason: 'said "no"\u2028',
    last_error: { code: 'no_capacity', detail: '\\\t😀', at },
    image: 'an "image"',
    observed_generation: 7,
    restart_policy: { mode: 'always', maxAttempts: 3, backoff: 30 },
    version: 4_000_000_000,
    created_at: '2026-11-23T16:30:00.000Z',
  };
  const bare = {
    tenant_id: tenantId,
    desired_state: 'running',
    cpu: 2,
    memory: 4096,
    disk: 50,
    image: 'ubuntu-22.04',
    zone: 'sim',
    tags: {},
    ssh_keys: [],
    autostart: true,
    conditions: [],
    generation: 1,
    fence: 1,
    observed_generation: 0,
    incarnation: 0,
    quota_held: true,
    fact_epoch: 0,
    fact_seq: 0,
    version: 1,
    created_at: '2026-11-23T16:30:00.007Z',
    updated_at: at,
  };
  const rows = STATES.flatMap((state) => [
    { ...bare, id: newId(), name: `bare-${state}`, state },
    { ...bare, ...full, id: newId(), name: `full-${state}`, state },
  ]);
  await harness.admin.query(
    'INSERT INTO orchestrator.vms SELECT * FROM json_populate_recordset(null::orchestrator.vms, $1)',
    [JSON.stringify(rows)],
  );
}

/** Repeats a read, because a replica may be behind. */
async function waitFor<T>(look: () => Promise<T | undefined>): Promise<T> {
  return (await readUntil(look, (found) => found !== undefined, 60_000)) as T;
}

describe('a list', () => {
  it.each(['strong', 'eventual'] as const)(
    'shows the same as a single read and the event, in every state: %s',
    async (consistency) => {
      const tenantId = newId<TenantId>();
      await inEveryState(tenantId);
      const meta = harness.meta({ tenantId, consistency });
      const shown = await waitFor(async () => {
        const { body } = await harness.get(VmReads).list(meta, VmListQuery.parse({ limit: 500 }));
        const { items } = JSON.parse(body.json) as VmPageType;
        return items.length === STATES.length * 2 ? items : undefined;
      });
      for (const item of shown) {
        Vm.parse(item);
        const { body } = await harness.get(VmReads).get(meta, { id: item.id });
        const { rows } = await harness.service.app
          .get<Database>(TOKENS.systemDatabase)
          .primary.query<VmRow>({ text: 'SELECT * FROM vms WHERE id = $1' }, [item.id]);
        const event = vmEvent(rows[0] as VmRow, 'vm.updated').data;
        // As text: the order of the fields is the same, too.
        expect(JSON.stringify(item)).toBe(JSON.stringify(body));
        expect(JSON.stringify(item)).toBe(JSON.stringify(event));
      }
      expect(new Set(shown.map((vm) => vm.state))).toEqual(new Set(STATES));
    },
  );

  it('shows a VM after the work of the workers like a single read', async () => {
    await harness.create('json-1', { tags: { owner: 'ü\\ "q"' }, userData: 'x' });
    await harness.running('json-2');
    await harness.create('json-3', { autostart: false });
    await until(async () => (await list()).items.every((vm) => vm.task === null), 60_000);
    const { items } = await list();
    expect(items).toHaveLength(3);
    for (const item of items) {
      const { body } = await harness.get(VmReads).get(harness.meta({ consistency: 'strong' }), {
        id: item.id,
      });
      expect(item).toEqual(body);
    }
  });

  it('has pages without gaps or duplicates, in every order, while rows are added', async () => {
    for (let i = 0; i < 25; i++)
      await harness.create(`page-${String(i).padStart(2, '0')}`, { tags: { page: 'yes' } });
    for (const sort of ['createdAt', '-createdAt', 'name', '-name']) {
      const seen: string[] = [];
      let cursor: string | null = null;
      do {
        const page: VmPageType = await list({
          sort,
          limit: 7,
          tag: ['page=yes'],
          ...(cursor ? { cursor } : {}),
        });
        seen.push(...page.items.map((vm) => vm.name));
        cursor = page.nextCursor;
      } while (cursor);
      const sorted = Array.from({ length: 25 }, (_, i) => `page-${String(i).padStart(2, '0')}`);
      expect([sort, seen]).toEqual([sort, sort.startsWith('-') ? sorted.reverse() : sorted]);
    }
  });

  it('filters by state, tag, zone, image, name, prefix and time', async () => {
    const names = async (query: Record<string, unknown>) =>
      (await list(query)).items.map((vm) => vm.name).sort();
    expect(await names({ namePrefix: 'json-' })).toEqual(['json-1', 'json-2', 'json-3']);
    expect(await names({ namePrefix: 'json-', state: ['stopped'] })).toEqual(['json-3']);
    expect(await names({ name: 'json-2' })).toEqual(['json-2']);
    expect(await names({ name: 'json-' })).toEqual([]);
    expect(await names({ tag: ['owner'] })).toEqual(['json-1']);
    expect(await names({ zone: 'local' })).toEqual([]);
    expect(await names({ image: 'beos' })).toEqual([]);
    expect(await names({ updatedSince: '2999-01-01T00:00:00.000Z' })).toEqual([]);
  });

  it('ends a page before it is larger than a message, also with the largest tags', async () => {
    const tenantId = newId<TenantId>();
    const tags = Object.fromEntries(
      Array.from({ length: 50 }, (_, i) => [`${'t'.repeat(60)}${i}`, '\u0001'.repeat(255)]),
    );
    const names = Array.from({ length: 27 }, (_, i) => `wide-${String(i).padStart(2, '0')}`);
    for (const name of names) await harness.create(name, { tags }, { tenantId });
    const pages: number[] = [];
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const query = VmListQuery.parse({ sort: 'name', limit: 500, ...(cursor === null ? {} : { cursor }) });
      const meta = harness.meta({ tenantId, consistency: 'strong' });
      const { json } = (await harness.get(VmReads).list(meta, query)).body;
      expect(Buffer.byteLength(json)).toBeLessThan(REPLY_BYTES);
      const page = VmPage.parse(JSON.parse(json));
      pages.push(page.items.length);
      seen.push(...page.items.map(({ name }) => name));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual(names);
    expect(pages.length).toBeGreaterThan(2);
  });

  it('reads no more wide rows than a page holds, and continues after one that is larger than a page', async () => {
    const tenantId = newId<TenantId>();
    for (let i = 0; i < 4; i++) await harness.create(`huge-${i}`, {}, { tenantId });
    // Larger than the API lets any be.
    await harness.admin.query(
      `UPDATE orchestrator.vms SET tags = jsonb_build_object('huge', repeat('x', 600000)) WHERE tenant_id = $1`,
      [tenantId],
    );
    const { statement, params } = select(tenantId, VmListQuery.parse({ limit: 500, sort: 'name' }));
    const { rows } = await harness.service.app
      .get<Database>(TOKENS.tenantDatabase)
      .primary.query(statement, params, { tenantId });
    expect(rows).toHaveLength(2);
    const meta = harness.meta({ tenantId, consistency: 'strong' });
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const query = VmListQuery.parse({ sort: 'name', limit: 500, ...(cursor === null ? {} : { cursor }) });
      const page = JSON.parse((await harness.get(VmReads).list(meta, query)).body.json) as VmPageType;
      seen.push(...page.items.map(({ name }) => name));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual(['huge-0', 'huge-1', 'huge-2', 'huge-3']);
  });

  it('refuses a cursor of another order', async () => {
    const { nextCursor } = await list({ limit: 1, sort: 'name' });
    await expect(list({ limit: 1, sort: '-name', cursor: nextCursor })).rejects.toMatchObject({
      code: 'invalid_request',
    });
  });
});

/** As a literal: arrays in Postgres' way. */
function text(value: unknown): string {
  return Array.isArray(value) ? `{${value.join(',')}}` : String(value);
}

type VmPageType = Awaited<ReturnType<typeof list>>;

describe('at 100,000 VMs of 50 tenants', () => {
  const tenants = Array.from({ length: 50 }, () => newId<TenantId>());

  beforeAll(async () => {
    await harness.admin.query(
      `INSERT INTO orchestrator.vms (tenant_id, id, name, state, desired_state, cpu, memory, disk, image, zone, tags, ssh_keys,
         autostart, fence, quota_held, version, created_at, updated_at)
       SELECT ($1::uuid[])[1 + i % 50], gen_random_uuid(), 'big-' || i, (ARRAY['running','stopped','error','deleted'])[1 + i % 4],
         'running', 2, 4096, 50, 'ubuntu-22.04', 'sim', '{}', '[]', true, 1, true, 1,
         now() - i * interval '1 s', now() - i * interval '1 s'
       FROM generate_series(1, 100000) AS i`,
      [tenants],
    );
    await harness.admin.query('ANALYZE orchestrator.vms');
  });

  it.each([
    {},
    { state: ['running'] },
    { sort: 'name' },
    { sort: '-updatedAt' },
    { sort: 'createdAt' },
    { namePrefix: 'big-1', sort: 'name' },
    { zone: 'sim', image: 'ubuntu-22.04' },
    { updatedSince: '2020-01-01T00:00:00.000Z' },
    { updatedSince: '2999-01-01T00:00:00.000Z', sort: '-updatedAt' },
    { name: 'big-7' },
    { limit: 500 },
    { limit: 500, sort: 'name' },
    { cursor: encodeCursor({ sort: '-createdAt', value: '2026-11-23T16:30:00.000Z', id: newId() }) },
  ])('no list reads the whole table: %j', async (query) => {
    const { statement, params } = select(tenants[3] as TenantId, VmListQuery.parse(query));
    const client = await harness.admin.connect();
    try {
      await client.query(`SET search_path = orchestrator`);
      // Planned for these values, and, as a named statement soon is, for any.
      const values = params.map((value) => client.escapeLiteral(text(value)));
      await client.query(`PREPARE list AS ${statement.text}`);
      for (const mode of ['force_custom_plan', 'force_generic_plan']) {
        await client.query(`SET plan_cache_mode = ${mode}`);
        const { rows } = await client.query<{ 'QUERY PLAN': string }>(
          `EXPLAIN EXECUTE list (${values.join(', ')})`,
        );
        const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
        expect(plan).not.toMatch(/Seq Scan on vms/);
        expect(plan).toMatch(/Index/);
      }
    } finally {
      client.release(true);
    }
  });
});
