import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { keyOf } from '@novacron/cache/change';
import type { Entry } from '@novacron/cache/entry';
import { newId } from '@novacron/contracts/ids';
import { vmsRpc } from '@novacron/contracts/vms';
import { metricsText } from '@novacron/telemetry/metrics';
import { eventually } from '@novacron/testkit/wait';
import { createClient } from 'redis';
import { entryOf, LINEAGE, CacheHarness } from './support/cache-harness.js';

interface Truth {
  readonly id: string;
  readonly tenantId: string;
  readonly version: number;
  readonly name?: string;
}

let harness: CacheHarness;
/** The VMs of the fake orchestrator. */
const vms = new Map<string, Truth>();
const tenantId = newId<string>();

beforeAll(async () => {
  harness = await CacheHarness.open();
  harness.orchestrator.subscribe(vmsRpc.get.subject, {
    callback: (_, message) => {
      const { body } = message.json<{ body: { id: string } }>();
      const vm = vms.get(body.id);
      const missing = { ok: false, code: 'not_found', detail: 'There is no such VM' };
      message.respond(JSON.stringify(vm ? { ok: true, body: vm, position: null } : missing));
    },
  });
  await harness.orchestrator.flush();
});
beforeEach(async () => {
  await harness.start({ NOVACRON_CACHE_CHECK_RATE: '1000' });
  await harness.fakeOrchestrator.commit(1);
  await harness.allReceived();
});
afterEach(async () => {
  await harness.stopServices();
  await inRedis('FLUSHALL');
});
afterAll(() => harness.close());

async function inRedis(...command: string[]): Promise<void> {
  const redis = createClient({ url: harness.servers.redisUrl });
  await redis.connect();
  await redis.sendCommand(command);
  await redis.close();
}

/** As if the invalidation had been a DEL: no tombstone is left to refuse a late fill. */
function forgetTombstone(id: string): Promise<void> {
  return inRedis('DEL', `${LINEAGE}:${keyOf(tenantId, 'vm', id)}~t`);
}

async function fill(type: string, id: string, entry: Entry, group: string | null = null): Promise<void> {
  const place = { lineage: LINEAGE, key: keyOf(tenantId, type, id), group };
  expect(await harness.l2.fill(place, entry)).toBe(true);
}

/** Stores a VM with this version, and commits its event. */
async function vmAt(version: number): Promise<Truth> {
  const vm: Truth = { id: newId(), tenantId, version };
  vms.set(vm.id, vm);
  await harness.fakeOrchestrator.commit(1, undefined, { tenantId, resourceId: vm.id, version });
  await harness.allReceived();
  return vm;
}

const now = () => BigInt(harness.fakeOrchestrator.lastSeq);

/** Waits until this many further samples were judged. */
async function checks(more: number) {
  const { samples } = (await harness.stats()).check;
  return eventually(async () => {
    const { check } = await harness.stats();
    expect(check.samples).toBeGreaterThanOrEqual(samples + more);
    return check;
  });
}

async function found(): Promise<string> {
  return eventually(async () => {
    const { check } = await harness.stats();
    expect(check.stale).toBeGreaterThan(0);
    return check.lastStale?.reason as string;
  });
}

describe('the checker', () => {
  it('accepts right answers, and old ones with their true position', async () => {
    const right = await vmAt(3);
    await fill('vm', right.id, entryOf(tenantId, 3, now(), right));
    const changing = await vmAt(1);
    const old = entryOf(tenantId, 1, now(), changing);
    vms.set(changing.id, { ...changing, version: 2 });
    await harness.fakeOrchestrator.commit(1, undefined, { tenantId, resourceId: changing.id, version: 2 });
    await harness.allReceived();
    await forgetTombstone(changing.id);
    await fill('vm', changing.id, old);
    await fill('vm-list', 'all', entryOf(tenantId, null, now(), { items: [right, vms.get(changing.id)] }));
    const absent = {
      ...entryOf(tenantId, null, now()),
      status: 404,
      bytes: Buffer.from('There is no such VM'),
    };
    await fill('vm', newId(), absent);
    await fill('metrics-latest', right.id, entryOf(tenantId, null, now()));
    const { stale, unjudged, samples } = await checks(60);
    expect(stale).toBe(0);
    // A request to the orchestrator may miss its deadline from time to time.
    expect(unjudged).toBeLessThan(samples / 10);
    expect(await metricsText()).toMatch(/novacron_cache_stale_reads_total\{level="l2"\} 0/);
  });

  it('counts an answer that lacks an event before its position', async () => {
    const vm = await vmAt(1);
    vms.set(vm.id, { ...vm, version: 2 });
    await harness.fakeOrchestrator.commit(1, undefined, { tenantId, resourceId: vm.id, version: 2 });
    await harness.allReceived();
    await forgetTombstone(vm.id);
    await fill('vm', vm.id, entryOf(tenantId, 1, now(), vm));
    expect(await found()).toMatch(/had reached version 2/);
    expect(await metricsText()).toMatch(/novacron_cache_stale_reads_total\{level="l2"\} [1-9]/);
  });

  it('counts a corrupted body under a right version', async () => {
    const vm = await vmAt(4);
    await fill('vm', vm.id, entryOf(tenantId, 4, now(), { ...vm, name: 'corrupted' }));
    expect(await found()).toMatch(/another body under version 4/);
  });

  it('counts a list whose item is older than the list', async () => {
    const vm = await vmAt(1);
    await harness.fakeOrchestrator.commit(1, undefined, { tenantId, resourceId: vm.id, version: 2 });
    await harness.allReceived();
    await fill('vm-list', 'all', entryOf(tenantId, null, now(), { items: [vm] }));
    expect(await found()).toMatch(/had reached version 2/);
  });

  it('counts an absence of a VM that existed', async () => {
    const vm = await vmAt(1);
    await fill('vm', vm.id, { ...entryOf(tenantId, null, now()), status: 404 });
    expect(await found()).toMatch(/had reached version 1/);
  });

  it("counts another tenant's answer", async () => {
    const vm = await vmAt(1);
    await fill('vm', vm.id, entryOf(newId(), 1, now(), vm));
    expect(await found()).toMatch(/another tenant's/);
  });
});
