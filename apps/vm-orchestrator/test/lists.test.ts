import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId, type TenantId } from '@novacron/contracts/ids';
import { Vm, VmListQuery, VmPage } from '@novacron/contracts/vms';
import { waitUntil } from '@novacron/local-stack/processes';
import { listVms, select } from '../src/vms/list.js';
import { toVm, type VmRow } from '../src/vms/row.js';
import { Fixture } from './fixture.js';

let fixture: Fixture;
beforeAll(async () => {
  fixture = await Fixture.start();
});
afterAll(() => fixture.stop());

async function list(query: Record<string, unknown> = {}, tenantId = fixture.tenantId) {
  const reply = await listVms(
    fixture.core.api,
    fixture.meta({ tenantId, consistency: 'strong' }),
    VmListQuery.parse(query),
  );
  return VmPage.parse(JSON.parse(reply.body.json));
}

describe('a list', () => {
  it("shows what a single read shows: Postgres' JSON and ours are the same", async () => {
    await fixture.create('json-1', { tags: { owner: 'ü\\ "q"' }, userData: 'x' });
    await fixture.running('json-2');
    await fixture.create('json-3', { autostart: false });
    await waitUntil(async () => (await list()).items.every((vm) => vm.task === null), 10_000);
    const { items } = await list();
    expect(items).toHaveLength(3);
    for (const item of items) {
      const { rows } = await fixture.core.sys.primary.query<VmRow>(
        { text: 'SELECT * FROM vms WHERE id = $1' },
        [item.id],
      );
      expect(item).toEqual(Vm.parse(toVm(rows[0] as VmRow)));
    }
  });

  it('comes page by page without a gap or a double, in every order, while rows come', async () => {
    for (let i = 0; i < 25; i++)
      await fixture.create(`page-${String(i).padStart(2, '0')}`, { tags: { page: 'yes' } });
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

  it('filters by state, tag, zone, image, prefix and time', async () => {
    const names = async (query: Record<string, unknown>) =>
      (await list(query)).items.map((vm) => vm.name).sort();
    expect(await names({ namePrefix: 'json-' })).toEqual(['json-1', 'json-2', 'json-3']);
    expect(await names({ namePrefix: 'json-', state: ['stopped'] })).toEqual(['json-3']);
    expect(await names({ tag: ['owner'] })).toEqual(['json-1']);
    expect(await names({ zone: 'local' })).toEqual([]);
    expect(await names({ image: 'beos' })).toEqual([]);
    expect(await names({ updatedSince: '2999-01-01T00:00:00.000Z' })).toEqual([]);
  });

  it('refuses a cursor of another order', async () => {
    const { nextCursor } = await list({ limit: 1, sort: 'name' });
    await expect(list({ limit: 1, sort: '-name', cursor: nextCursor })).rejects.toMatchObject({
      code: 'invalid_request',
    });
  });
});

type VmPageType = Awaited<ReturnType<typeof list>>;

describe('at 100,000 VMs of 50 tenants', () => {
  const tenants = Array.from({ length: 50 }, () => newId<TenantId>());

  beforeAll(async () => {
    await fixture.admin.query(
      `INSERT INTO orchestrator.vms (tenant_id, id, name, state, desired_state, cpu, memory, disk, image, zone, tags, ssh_keys,
         autostart, fence, quota_held, version, created_at, updated_at)
       SELECT ($1::uuid[])[1 + i % 50], gen_random_uuid(), 'big-' || i, (ARRAY['running','stopped','error','deleted'])[1 + i % 4],
         'running', 2, 4096, 50, 'ubuntu-22.04', 'sim', '{}', '[]', true, 1, true, 1,
         now() - i * interval '1 s', now() - i * interval '1 s'
       FROM generate_series(1, 100000) AS i`,
      [tenants],
    );
    await fixture.admin.query('ANALYZE orchestrator.vms');
  });

  it.each([
    {},
    { state: ['running'] },
    { sort: 'name' },
    { sort: '-updatedAt' },
    { sort: 'createdAt' },
    { namePrefix: 'big-1', sort: 'name' },
    { zone: 'sim', image: 'ubuntu-22.04' },
  ])('no list reads the whole table: %j', async (query) => {
    const { statement, params } = select(tenants[3] as TenantId, VmListQuery.parse(query));
    const client = await fixture.admin.connect();
    try {
      await client.query(`SET search_path = orchestrator`);
      const { rows } = await client.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${statement.text}`, params);
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
      expect(plan).not.toMatch(/Seq Scan on vms/);
      expect(plan).toMatch(/Index/);
    } finally {
      client.release();
    }
  });
});
