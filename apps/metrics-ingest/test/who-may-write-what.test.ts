import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import { newId } from '@novacron/contracts/ids';
import { connectNats } from '@novacron/messaging/connect';
import { metricsText } from '@novacron/telemetry/metrics';
import { eventually } from '@novacron/testkit/wait';
import { batchOf, newVm, MetricsHarness, type Point, type TestVm } from './metrics-harness.js';

let harness: MetricsHarness;
let orchestrator: NatsConnection;
/** The orchestrator's answers, and its requests. */
const located = new Map<string, { id: string; tenantId: string; hostId: string | null; deleted: boolean }>();
const asked: string[] = [];

beforeAll(async () => {
  harness = await MetricsHarness.open();
  orchestrator = await connectNats({ ...harness.servers.natsLogin('orchestrator'), name: 'orchestrator' });
  orchestrator.subscribe('rpc.orchestrator.vms.locate', { callback: (_, message) => answer(message) });
  await orchestrator.flush();
  await harness.ingest();
});
afterAll(async () => {
  await orchestrator.close();
  await harness.close();
});

function answer(message: Msg): void {
  const { ids } = message.json<{ body: { ids: string[] } }>().body;
  asked.push(...ids);
  const body = ids.flatMap((id) => located.get(id) ?? []);
  message.respond(JSON.stringify({ ok: true, body, position: null }));
}

const now = Date.now();
const point: Point = [now, 1];

async function stored(vm: TestVm): Promise<Point[]> {
  const text = 'SELECT ts::float8 AS ts, value FROM metrics.points WHERE vm_id = $1 ORDER BY ts';
  const { rows } = await harness.sys.primary.query<{ ts: number; value: number }>({ text }, [vm.vmId]);
  return rows.map(({ ts, value }) => [ts, value]);
}

async function rejected(reason: string): Promise<number> {
  const line = new RegExp(`^novacron_metrics_rejected_points_total\\{reason="${reason}"\\} (\\d+)`, 'm');
  return Number(line.exec(await metricsText())?.[1] ?? 0);
}

/** Publishes and expects that every point is dropped for the reason. */
async function dropped(reason: string, points: number, publish: () => Promise<unknown>): Promise<void> {
  const before = await rejected(reason);
  await publish();
  await harness.settled();
  expect((await rejected(reason)) - before).toBe(points);
}

async function vmEvent(
  vm: TestVm,
  version: number,
  hostId: string | null,
  state = 'running',
  systemId = harness.sys.lineage?.systemId,
): Promise<void> {
  const at = new Date(now).toISOString();
  const data = { id: vm.vmId, tenantId: vm.tenantId, hostId, state, version, updatedAt: at };
  const event = {
    id: newId(),
    seq: version,
    type: 'vm.updated',
    kind: 'vm',
    resourceId: vm.vmId,
    version,
    position: `${systemId}.1.1`,
    at,
  };
  await harness.js.publish(
    `events.${vm.tenantId}.vm.${vm.vmId}`,
    JSON.stringify({ ...event, tenantId: vm.tenantId, data }),
  );
}

function inDirectory(vm: TestVm): Promise<unknown> {
  const text = 'SELECT host_id, version, deleted_at::float8 AS deleted_at FROM metrics.vms WHERE vm_id = $1';
  return harness.sys.primary.query({ text }, [vm.vmId]).then(({ rows }) => rows[0]);
}

describe('a host', () => {
  it('writes the VMs that are placed on it, and no others', async () => {
    const mine = await harness.place(newVm());
    const other = await harness.place(newVm());
    located.set(other.vmId, {
      id: other.vmId,
      tenantId: other.tenantId,
      hostId: other.hostId,
      deleted: false,
    });
    await harness.publish(mine, 'cpu_usage', [point]);
    await dropped('not_on_host', 2, () =>
      harness.publish(other, 'cpu_usage', [point, [now + 1, 2]], mine.hostId),
    );
    expect(await stored(mine)).toEqual([point]);
    expect(await stored(other)).toEqual([]);
  });

  it('writes a VM whose event has not arrived, since the orchestrator confirms it', async () => {
    const vm = newVm();
    located.set(vm.vmId, { id: vm.vmId, tenantId: vm.tenantId, hostId: vm.hostId, deleted: false });
    await harness.publish(vm, 'cpu_usage', [point]);
    await harness.settled();
    expect(await stored(vm)).toEqual([point]);
    expect(await inDirectory(vm)).toMatchObject({ host_id: vm.hostId, version: 0 });
  });

  it('writes a VM at once when it has taken it over, although the directory is outdated', async () => {
    const vm = await harness.place(newVm());
    const target = newId();
    located.set(vm.vmId, { id: vm.vmId, tenantId: vm.tenantId, hostId: target, deleted: false });
    await harness.publish(vm, 'cpu_usage', [point], target);
    await harness.settled();
    expect(await stored(vm)).toEqual([point]);
  });

  it('causes one lookup for an unknown VM, not one per message', async () => {
    const vm = newVm();
    await dropped('unknown_vm', 1, () => harness.publish(vm, 'cpu_usage', [point]));
    await dropped('unknown_vm', 1, () => harness.publish(vm, 'cpu_usage', [point]));
    expect(asked.filter((id) => id === vm.vmId)).toHaveLength(1);
  });
});

describe('the directory', () => {
  it('follows the events by version, in any order', async () => {
    const vm = newVm();
    const [first, second] = [newId<string>(), newId<string>()];
    await vmEvent(vm, 3, second);
    await vmEvent(vm, 2, first);
    await eventually(async () =>
      expect(await inDirectory(vm)).toMatchObject({ host_id: second, version: 3 }),
    );
    await harness.publish(vm, 'cpu_usage', [point], second);
    await harness.settled();
    expect(await stored(vm)).toEqual([point]);
  });

  it('skips an event of a timeline that a restore has left, since its version would shadow later events', async () => {
    const vm = newVm();
    await vmEvent(vm, 9, newId(), 'deleted', '7000000000000000001');
    await vmEvent(vm, 2, vm.hostId);
    await eventually(async () =>
      expect(await inDirectory(vm)).toMatchObject({ host_id: vm.hostId, version: 2, deleted_at: null }),
    );
  });

  it('keeps a deleted VM: accepts points from before the deletion, and no later ones', async () => {
    const vm = newVm();
    await vmEvent(vm, 1, vm.hostId);
    await vmEvent(vm, 2, null, 'deleted');
    await eventually(async () =>
      expect(await inDirectory(vm)).toMatchObject({ host_id: vm.hostId, deleted_at: now }),
    );
    await dropped('vm_deleted', 1, () =>
      harness.publish(vm, 'cpu_usage', [
        [now - 1, 1],
        [now + 1, 2],
      ]),
    );
    expect(await stored(vm)).toEqual([[now - 1, 1]]);
  });
});

describe('the gateway', () => {
  it('writes VMs of the tenant, and of no other tenant', async () => {
    const vm = await harness.place(newVm());
    await harness.publish(vm, 'requests', [point], 'gateway');
    await dropped('foreign_vm', 1, () =>
      harness.publish({ ...vm, tenantId: newId() }, 'requests', [point], 'gateway'),
    );
    expect(await stored(vm)).toEqual([point]);
  });
});

describe('an unstorable message is counted without stopping the ingester, when it is', () => {
  it.each([
    ['too_old', -401 * 86_400_000],
    ['in_future', 2 * 3_600_000],
  ])('%s', async (reason, offset) => {
    const vm = await harness.place(newVm());
    await dropped(reason, 1, () => harness.publish(vm, 'cpu_usage', [[now + offset, 1], point]));
    expect(await stored(vm)).toEqual([point]);
  });

  it('malformed', async () => {
    const vm = await harness.place(newVm());
    const subject = `metrics.ingest.3.${vm.hostId}`;
    for (const wrong of ['{', '[]', JSON.stringify({ ...batchOf(vm, 'cpu_usage', [point]), value: [] })]) {
      await dropped('malformed', 1, () => harness.js.publish(subject, wrong));
    }
    await dropped('bad_index', 1, () =>
      harness.publishRaw(vm, { ...batchOf(vm, 'cpu_usage', [point]), vm: [7] }),
    );
  });

  it('wrong_partition', async () => {
    const vm = await harness.place(newVm());
    await dropped('wrong_partition', 1, () => harness.publishRaw(vm, batchOf(vm, 'cpu_usage', [point]), 1));
  });
});
