import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import { WireRequest } from '@novacron/contracts/envelope';
import { newId, type VmId } from '@novacron/contracts/ids';
import { metricsRpc } from '@novacron/contracts/metrics';
import { vmsRpc } from '@novacron/contracts/vms';
import { connectNats } from '@novacron/messaging/connect';
import { ensureStreams } from '@novacron/messaging/streams';
import { RpcClient } from '@novacron/messaging/rpc-client';
import { Rejections } from '../../src/metrics/check-points.js';
import { PushTargets } from '../../src/metrics/push-targets.js';
import { TestGateway } from '../support/gateway.js';

interface Vm {
  readonly tenantId: string;
  readonly deletedAt: number | null;
}

let gateway: TestGateway;
const connections: NatsConnection[] = [];
const owners: Subscription[] = [];
const vms = new Map<string, Vm>();
const refused = new Set<string>();
const asked: { vms: string[]; names: [tenant: string, name: string][] } = { vms: [], names: [] };

async function connect(user: 'admin' | 'orchestrator' | 'metrics'): Promise<NatsConnection> {
  const nc = await connectNats({ ...gateway.servers.natsLogin(user), name: 'test' });
  connections.push(nc);
  return nc;
}

/** Answers a contract by the request. */
function serve(nc: NatsConnection, subject: string, answer: (request: WireRequest) => unknown): void {
  const callback: Parameters<NatsConnection['subscribe']>[1] = {
    callback: (_, message) => {
      const body = answer(WireRequest.parse(message.json()));
      message.respond(JSON.stringify({ ok: true, body, position: null }));
    },
  };
  owners.push(nc.subscribe(subject, callback));
}

beforeAll(async () => {
  gateway = await TestGateway.start();
  await ensureStreams(await connect('admin'), ['METRICS']);
  const orchestrator = await connect('orchestrator');
  serve(orchestrator, vmsRpc.locate.subject, ({ body }) => {
    const { ids } = body as { ids: string[] };
    asked.vms.push(...ids);
    return ids.flatMap((id) => {
      const vm = vms.get(id);
      return vm ? [{ id, ...vm, hostId: null, deleted: vm.deletedAt !== null }] : [];
    });
  });
  const metrics = await connect('metrics');
  serve(metrics, metricsRpc.refusedNames.subject, ({ body, tenantId }) => {
    const { names } = body as { names: string[] };
    asked.names.push(...names.map((name): [string, string] => [tenantId, name]));
    return { refused: names.filter((name) => refused.has(name)) };
  });
  await Promise.all([orchestrator.flush(), metrics.flush()]);
});
afterAll(async () => {
  for (const nc of connections) await nc.close();
  await gateway?.stop();
});

const NOW = Date.now();
type Series = { vmId: string; metric: string; points: [number, number][] };
const push = (series: Series[], token = gateway.token()) =>
  gateway.ask('POST', '/api/v1/metrics/ingest', { body: { series }, token });
const codes = (json: { rejected: { series: number; point: number | null; code: string }[] }) =>
  json.rejected.map(({ series, point, code }) => [series, point, code]);

function newVm(tenantId: string = gateway.tenantId, deletedAt: number | null = null): string {
  const id = newId<string>();
  vms.set(id, { tenantId, deletedAt });
  return id;
}

describe('a push', () => {
  it('names the VMs that are unknown, of another tenant, or deleted before the time of a point', async () => {
    const [there, foreign, unknown] = [newVm(), newVm(newId()), newId<string>()];
    const deleted = newVm(gateway.tenantId, NOW - 50);
    const series = [unknown, there, foreign, deleted].map((vmId): Series => ({
      vmId,
      metric: 'requests',
      points: [
        [NOW - 100, 1],
        [NOW, 2],
      ],
    }));
    const { status, json } = await push(series);
    expect(status).toBe(202);
    expect(json.accepted).toBe(3);
    expect(codes(json)).toEqual([
      [0, null, 'unknown_vm'],
      [2, null, 'unknown_vm'],
      [3, 1, 'vm_deleted'],
    ]);
  });

  it("names the metrics beyond the limit of the VM's tenant", async () => {
    const tenantId = newId<string>();
    const vmId = newVm(tenantId);
    refused.add('one_too_many');
    const series = ['fine', 'one_too_many', 'cpu_usage'].map((metric): Series => ({
      vmId,
      metric,
      points: [[NOW, 1]],
    }));
    const { json } = await push(series, gateway.token('platform_operator'));
    expect(json.accepted).toBe(2);
    expect(codes(json)).toEqual([[1, null, 'too_many_names']]);
    expect(asked.names.filter(([tenant]) => tenant === tenantId)).toEqual([
      [tenantId, 'fine'],
      [tenantId, 'one_too_many'],
    ]);
  });

  it('looks a VM and a name up once, not with every push', async () => {
    const vmId = newVm();
    for (let i = 0; i < 5; i++) await push([{ vmId, metric: 'steady', points: [[NOW, i]] }]);
    expect(asked.vms.filter((id) => id === vmId)).toHaveLength(1);
    expect(asked.names.filter(([, name]) => name === 'steady')).toHaveLength(1);
  });

  it('reports a time in seconds', async () => {
    const points: [number, number][] = [[Math.floor(NOW / 1_000), 1]];
    const { json } = await push([{ vmId: newVm(), metric: 'requests', points }]);
    expect(json).toMatchObject({ accepted: 0, rejected: [{ code: 'time_in_seconds' }] });
    expect(json.rejected[0].detail).toContain('probably seconds');
  });

  // Last: the owners do not come back, or never answer.
  it('is accepted whole while the owners are unreachable, because the ingester judges again', async () => {
    for (const owner of owners) owner.unsubscribe();
    const { json } = await push([{ vmId: newId(), metric: 'while_away', points: [[NOW, 1]] }]);
    expect(json).toEqual({ accepted: 1, rejected: [] });
  });

  it('waits once for an owner that does not answer, and tries it again seconds later', async () => {
    let clock = 1_000_000;
    const targets = new PushTargets(new RpcClient(gateway.nc), () => clock);
    const questions: WireRequest[] = [];
    const nc = await connect('orchestrator');
    nc.subscribe(vmsRpc.locate.subject, {
      callback: (_, message) => void questions.push(WireRequest.parse(message.json())),
    });
    await nc.flush();
    const check = (vmId: VmId) =>
      targets.check(
        null,
        [{ index: 0, places: [0], vmId, metric: 'cpu_usage', times: [NOW], values: [1] }],
        new Rejections(),
      );
    const vmId = newId<VmId>();
    expect(await Promise.all([check(vmId), check(vmId)])).toHaveLength(2);
    for (let i = 0; i < 20; i++) expect(await check(newId())).toHaveLength(1);
    expect(questions).toHaveLength(1);
    clock += 3_001;
    await Promise.all(Array.from({ length: 20 }, () => check(newId())));
    expect(questions).toHaveLength(2);
  });
});
