import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { newId, type VmId } from '@novacron/contracts/ids';
import { MetricBatch, metricPartition } from '@novacron/contracts/metrics';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '@novacron/async/random';
import { AgentUnderTest } from './agent-under-test.js';

interface Point {
  vmId: string;
  metric: string;
  time: number;
  value: number;
}

describe('metrics of a host agent', () => {
  let under: AgentUnderTest;
  beforeAll(async () => {
    under = await AgentUnderTest.prepare(1);
  });
  afterEach(() => under.end('SIGKILL'));
  afterAll(() => under.stop());

  async function start(name: string): Promise<VmId> {
    const config = { cpu: 2, memory: 4_096, disk: 50, image: 'ubuntu-22.04' };
    const spec = { vmId: newId<VmId>(), name, config, userData: null, sshKeys: [] };
    await under.orchestrator.command(under.host, spec.vmId, { kind: 'create', spec });
    await under.orchestrator.command(under.host, spec.vmId, { kind: 'start', spec });
    return spec.vmId;
  }

  /** All messages of the stream; checks the subject of each. */
  async function stored(): Promise<Point[]> {
    const manager = await jetstreamManager(under.nc);
    const { state } = await manager.streams.info('METRICS');
    if (state.messages === 0) return [];
    const consumer = await jetstream(under.nc).consumers.get('METRICS');
    const points: Point[] = [];
    for await (const message of await consumer.fetch({ max_messages: state.messages, expires: 30_000 })) {
      const batch = MetricBatch.parse(message.json());
      const [, , partition, source] = message.subject.split('.');
      expect(source).toBe(under.host);
      for (const vmId of batch.vmIds) expect(String(metricPartition(vmId))).toBe(partition);
      points.push(
        ...batch.time.map((time, i) => ({
          vmId: batch.vmIds[batch.vm[i] ?? -1] ?? '',
          metric: batch.metrics[batch.metric[i] ?? -1] ?? '',
          time,
          value: batch.value[i] ?? Number.NaN,
        })),
      );
    }
    return points;
  }

  it('arrive in every interval, with every built-in metric of running guests', async () => {
    under.start();
    await under.registered();
    const vmId = await start('web');
    const mine = async () => (await stored()).filter((point) => point.vmId === vmId);
    await under.until(async () => new Set((await mine()).map(({ time }) => time)).size >= 2);
    expect(new Set((await mine()).map(({ metric }) => metric))).toEqual(
      new Set([
        'cpu_usage',
        'memory_usage',
        'disk_read_bytes',
        'disk_write_bytes',
        'network_recv',
        'network_sent',
      ]),
    );
  });

  it('wait while NATS is away, and arrive after its return', async () => {
    under.start();
    await under.registered();
    const vmId = await start('web');
    await under.until(async () => (await stored()).some((point) => point.vmId === vmId));
    under.mark();
    await under.servers.nats.kill();
    const awayFrom = Date.now();
    await sleep(4_000).finally(() => under.servers.nats.start());
    const awayTo = Date.now();
    await under.registered();
    const meanwhile = (points: Point[]) =>
      points.filter(({ vmId: id, time }) => id === vmId && time > awayFrom + 200 && time < awayTo - 200);
    await under.until(async () => meanwhile(await stored()).length > 0);
  });

  it('play a recorded day point by point, five minutes apart', async () => {
    const traces = join(under.folder, 'traces');
    mkdirSync(traces);
    const random = seededRandom(7);
    const days = ['a', 'b', 'c'].map((name) => {
      const rows = Array.from({ length: 288 }, () => [random() * 100, random() * 100] as const);
      writeFileSync(join(traces, name), `${rows.map((row) => row.join(' ')).join('\n')}\n`);
      return rows;
    });
    under.start();
    await under.registered();
    const vms = [await start('trace-0'), await start('trace-1'), await start('trace-5')];
    const from = Date.UTC(2026, 0, 1);
    const replay = under.spawn('replay.js', ['--from', '2026-01-01T00:00:00Z'], {
      NOVACRON_AGENT_SIM_TRACE: traces,
    });
    const code = await new Promise((resolve) => replay.once('exit', resolve));
    expect(`${code} ${code === 0 ? '' : under.output}`).toBe('0 ');
    const points = (await stored()).filter(({ time }) => time < from + 86_400_000);
    for (const [i, vmId] of vms.entries()) {
      const day = days[[0, 1, 2][i] ?? 0] ?? [];
      for (const [column, metric] of ['cpu_usage', 'memory_usage'].entries()) {
        const series = points.filter((point) => point.vmId === vmId && point.metric === metric);
        expect(series.sort((a, b) => a.time - b.time).map(({ time, value }) => [time, value])).toEqual(
          day.map((row, line) => [from + line * 300_000, row[column]]),
        );
      }
    }
  });
});
