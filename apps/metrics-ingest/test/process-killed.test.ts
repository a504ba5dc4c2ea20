import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NatsConnection } from '@nats-io/transport-node';
import { LatestQuery, metricsRpc } from '@novacron/contracts/metrics';
import { connectNats } from '@novacron/messaging/connect';
import { RpcClient } from '@novacron/messaging/rpc-client';
import { eventually } from '@novacron/testkit/wait';
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { metaOf, newVm, MetricsHarness, type Point } from './metrics-harness.js';

let harness: MetricsHarness;
let gateway: NatsConnection;
let child: ChildProcess;
beforeAll(async () => {
  harness = await MetricsHarness.open({ replica: true });
  gateway = await connectNats({ ...harness.servers.natsLogin('gateway'), name: 'gateway' });
  child = start();
});
afterAll(async () => {
  await ended(child, 'SIGTERM');
  await gateway.close();
  await harness.close();
});

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const origin = Math.floor(Date.now() / 3_600_000) * 3_600_000;

function start(): ChildProcess {
  const env = { PATH: process.env['PATH'], ...harness.servers.env('metrics'), NOVACRON_LOG_LEVEL: 'error' };
  return spawn(process.execPath, [main], { env, stdio: ['ignore', 'inherit', 'inherit'] });
}

function ended(process: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (process.exitCode !== null || process.signalCode !== null) return Promise.resolve(process.exitCode);
  return new Promise((resolve) => {
    process.once('exit', (code) => resolve(code));
    process.kill(signal);
  });
}

async function ready(): Promise<Response> {
  const env = harness.servers.env('metrics');
  return fetch(`http://127.0.0.1:${env['NOVACRON_OPS_PORT']}/ready`);
}

describe('the process', () => {
  it('answers range and latest over request/reply, and drains on SIGTERM with 0', async () => {
    const vm = await harness.place(newVm());
    await harness.publish(vm, 'cpu_usage', [
      [origin, 12.5],
      [origin + 1_000, 13.5],
    ]);
    await eventually(async () => expect((await ready()).status).toBe(200));
    await harness.settled();
    const rpc = new RpcClient(gateway);
    const query = {
      vmId: vm.vmId as never,
      metric: ['cpu_usage'],
      from: origin,
      to: origin + 2_000,
      step: 1,
      agg: 'avg' as const,
    };
    const { body, position } = await rpc.request(metricsRpc.range, metaOf(vm), query);
    expect(metricsRpc.range.reply.parse(body)).toEqual(body);
    expect(body.series[0]?.values).toEqual([12.5, 13.5]);
    expect(position).toMatch(/^\d+\.\d+\.\d+$/);
    const latest = await rpc.request(metricsRpc.latest, metaOf(vm), LatestQuery.parse({ vmId: vm.vmId }));
    expect(latest.body).toEqual({
      vmId: vm.vmId,
      values: { cpu_usage: { value: 13.5, timestamp: origin + 1_000 } },
      nextCursor: null,
    });
    const unknown = rpc.request(
      metricsRpc.latest,
      metaOf(newVm()),
      LatestQuery.parse({ vmId: newVm().vmId }),
    );
    // No orchestrator runs here, so a VM that is not in the directory cannot be checked.
    await expect(unknown).rejects.toMatchObject({ code: 'dependency_down' });
    expect(await ended(child, 'SIGTERM')).toBe(0);
    child = start();
  });

  it('stores every point once when it is killed at any moment and restarted', async () => {
    const vms = await Promise.all(Array.from({ length: 50 }, () => harness.place(newVm())));
    let sent = 0;
    for (let round = 0; round < 2; round++) {
      await eventually(async () => expect((await ready()).status).toBe(200));
      const until = Date.now() + 400 + Math.random() * 400;
      for (; Date.now() < until; sent++) {
        const point: Point = [origin + 10_000 + sent, sent];
        await Promise.all(vms.map((vm) => harness.publish(vm, 'memory_usage', [point])));
      }
      await ended(child, 'SIGKILL');
      child = start();
    }
    await harness.settled();
    const { rows } = await harness.sys.primary.query<{ n: number; distinct: number }>({
      text: 'SELECT count(*)::int AS n, count(DISTINCT (vm_id, ts))::int AS distinct FROM metrics.points WHERE metric_id = 2',
    });
    expect(rows).toEqual([{ n: sent * vms.length, distinct: sent * vms.length }]);
  });
});
