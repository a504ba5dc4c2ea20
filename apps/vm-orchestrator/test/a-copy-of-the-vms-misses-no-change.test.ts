import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId, type TenantId, type VmId } from '@novacron/contracts/ids';
import { VmListQuery, VmPage, type Vm } from '@novacron/contracts/vms';
import { until } from '@novacron/testkit/wait';
import { setTimeout as sleep } from 'node:timers/promises';
import { ChangedSince1764018000000 } from '../src/migrations/0006-changed-since.js';
import { IS_LATE } from '../src/vms/changed-since.js';
import { VmPatcher } from '../src/admission/patch.js';
import { VmReads } from '../src/vms/vm-reads.js';
import { OrchestratorHarness } from './support/orchestrator-harness.js';

let harness: OrchestratorHarness;
beforeAll(async () => {
  harness = await OrchestratorHarness.start();
});
afterAll(() => harness.stop());

const HOUR = 3_600_000;

async function changedSince(updatedSince: string, query: object = {}): Promise<Vm[]> {
  const parsed = VmListQuery.parse({ sort: '-updatedAt', updatedSince, ...query });
  const { body } = await harness.get(VmReads).list(harness.meta({ consistency: 'strong' }), parsed);
  return VmPage.parse(JSON.parse(body.json)).items;
}
const names = async (updatedSince: string, query: object = {}) =>
  (await changedSince(updatedSince, query)).map(({ name }) => name).sort();

/** The copy of a client: the last answers and its bookmark. */
class Copy {
  readonly vms = new Map<VmId, Vm>();
  since = new Date(Date.now() - HOUR).toISOString();

  async follow(): Promise<void> {
    const items = await changedSince(this.since);
    for (const vm of items) {
      if (vm.state === 'deleted') this.vms.delete(vm.id);
      else this.vms.set(vm.id, vm);
    }
    this.since = items[0]?.updatedAt ?? this.since;
  }
}

/** Holds the lock that every create of the tenant waits for. @returns the release of the lock */
async function holdCreates(): Promise<() => Promise<void>> {
  const client = await harness.admin.connect();
  await client.query('BEGIN');
  await client.query('SELECT FROM orchestrator.quotas WHERE tenant_id = $1 FOR UPDATE', [harness.tenantId]);
  return async () => {
    await client.query('COMMIT');
    client.release();
  };
}

/** A VM whose change was committed now, with the time of `at`; numbered by the relay as any other. */
async function commitLate(name: string, at: Date): Promise<void> {
  const id = newId<VmId>();
  await harness.admin.query(
    `WITH made AS (INSERT INTO orchestrator.vms (tenant_id, id, name, state, desired_state, cpu, memory, disk, image, zone,
         tags, ssh_keys, autostart, fence, quota_held, version, created_at, updated_at)
       VALUES ($1, $2, $3, 'stopped', 'stopped', 1, 64, 1, 'ubuntu-22.04', 'sim', '{}', '[]', true, 1, true, 1, $4, $4))
     INSERT INTO orchestrator.outbox_pending (id, tenant_id, kind, resource_id, type, version, at, data)
     VALUES (gen_random_uuid(), $1::uuid::text, 'vm', $2::uuid::text, 'vm.created', 1, $4, '{}')`,
    [harness.tenantId, id, name, at],
  );
  await until(async () => {
    const text = 'SELECT count(*)::int AS n FROM orchestrator.outbox WHERE resource_id = $1';
    return (await harness.one<{ n: number }>(text, [id])).n === 1;
  });
}

describe('the migration', () => {
  /** As the migration's connection has it: `query` in the schema of the orchestrator. */
  async function run(direction: 'up' | 'down'): Promise<void> {
    const client = await harness.admin.connect();
    await client.query('SET search_path = orchestrator');
    const migration = new ChangedSince1764018000000();
    await migration[direction](client as unknown as Parameters<typeof migration.up>[0]);
    client.release(true);
  }
  const late = () =>
    harness.one<{ n: number }>(`SELECT count(*)::int AS n FROM orchestrator.outbox WHERE ${IS_LATE}`);

  it('treats older events as numbered in time, and can be repeated after an interruption', async () => {
    await run('down');
    const { id } = await harness.running('of-before');
    await until(async () => {
      const text = `SELECT count(*)::int AS n FROM orchestrator.outbox WHERE resource_id = $1`;
      return (await harness.one<{ n: number }>(text, [id])).n > 1;
    });
    await run('up');
    expect(await late()).toEqual({ n: 0 });
    await run('up');
    const index = await harness.one<{ valid: boolean }>(
      `SELECT bool_and(indisvalid) AS valid FROM pg_index
        WHERE indexrelid IN ('orchestrator.outbox_late'::regclass, 'orchestrator.vms_tombstones'::regclass)`,
    );
    expect(index).toEqual({ valid: true });
  });
});

describe('a copy that follows updatedSince', () => {
  it('observes a create that waited six seconds for a lock', async () => {
    const copy = new Copy();
    const known = await harness.running('known');
    const release = await holdCreates();
    const create = harness.create('waited');
    await sleep(6_000);
    await harness.get(VmPatcher).patch(harness.meta(), {
      id: known.id,
      patch: { tags: { changed: 'meanwhile' } },
    });
    await copy.follow();
    await release();
    const waited = await create;
    // The difficulty: the change is older than the newest one in the copy.
    expect(waited.updatedAt < copy.since).toBe(true);
    await copy.follow();
    expect(copy.vms.get(waited.id)).toMatchObject({ name: 'waited' });
  });

  it('observes a change that was committed an hour after its time was taken', async () => {
    const copy = new Copy();
    await harness.running('newest');
    await copy.follow();
    const at = new Date(Date.parse(copy.since) - HOUR);
    await commitLate('late', at);
    await commitLate('late-of-another-time', at);
    await copy.follow();
    expect([...copy.vms.values()].map(({ name }) => name)).toEqual(
      expect.arrayContaining(['late', 'late-of-another-time']),
    );
    expect(await names(new Date(Date.now() + HOUR).toISOString())).toEqual([]);
  });

  it("does not observe another tenant's late changes", async () => {
    const since = new Date(Date.now() - 60_000).toISOString();
    await commitLate('ours', new Date(Date.now() - HOUR));
    expect(await names(since)).toContain('ours');
    const query = VmListQuery.parse({ updatedSince: since });
    const meta = harness.meta({ tenantId: newId<TenantId>(), consistency: 'strong' });
    const { body } = await harness.get(VmReads).list(meta, query);
    expect(JSON.parse(body.json)).toEqual({ items: [], nextCursor: null });
  });

  it('observes deletions, which no other list shows', async () => {
    const copy = new Copy();
    const { id } = await harness.running('short-lived');
    await copy.follow();
    expect(copy.vms.has(id)).toBe(true);
    await harness.act(id, 'delete');
    await harness.until(id, (vm) => vm.state === 'deleted');
    const { since } = copy;
    await copy.follow();
    expect(copy.vms.has(id)).toBe(false);
    expect(await changedSince(since, { state: ['deleted'] })).toMatchObject([{ id, state: 'deleted' }]);
    expect(await names(since, { state: ['running'] })).not.toContain('short-lived');
    const all = VmListQuery.parse({ limit: 500 });
    const { body } = await harness.get(VmReads).list(harness.meta({ consistency: 'strong' }), all);
    expect(body.json).not.toContain('short-lived');
  });
});
