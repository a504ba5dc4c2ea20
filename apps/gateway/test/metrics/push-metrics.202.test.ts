import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { jetstreamManager } from '@nats-io/jetstream';
import { connectNats } from '@novacron/messaging/connect';
import { ensureStreams } from '@novacron/messaging/streams';
import type { NatsConnection } from '@nats-io/transport-node';
import { newId } from '@novacron/contracts/ids';
import { MetricBatch, metricPartition } from '@novacron/contracts/metrics';
import { TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let admin: NatsConnection;
beforeAll(async () => {
  gateway = await TestGateway.start();
  admin = await connectNats({ ...gateway.servers.natsLogin('admin'), name: 'test' });
  await ensureStreams(admin, ['METRICS']);
});
afterAll(async () => {
  await admin?.close();
  await gateway?.stop();
});

const push = (series: unknown, token?: string) =>
  gateway.ask('POST', '/api/v1/metrics/ingest', {
    body: { series },
    ...(token === undefined ? {} : { token }),
  });
const NOW = Date.now();

/** What the stream holds from this message on. */
async function stored(from = 1): Promise<{ subject: string; batch: MetricBatch }[]> {
  const manager = await jetstreamManager(admin);
  const { state } = await manager.streams.info('METRICS');
  const found = [];
  for (let seq = from; seq <= state.last_seq; seq++) {
    const message = await manager.streams.getMessage('METRICS', { seq });
    if (message) found.push({ subject: message.subject, batch: MetricBatch.parse(message.json()) });
  }
  return found;
}

describe('pushing metrics', () => {
  it('is 202 when JetStream has the points, in columns, by partition, and carries no consistency token', async () => {
    const [a, b] = [newId(), newId()];
    const answer = await push([
      {
        vmId: a,
        metric: 'queue_depth',
        points: [
          [NOW, 1],
          [NOW + 1_000, 2.5],
        ],
      },
      { vmId: b, metric: 'app:latency', points: [[NOW, -3]] },
    ]);
    expect(answer.status).toBe(202);
    expect(answer.json).toEqual({ accepted: 3, rejected: [] });
    expect(answer.headers.get('novacron-consistency-token')).toBeNull();
    const messages = await stored();
    const points = messages.flatMap(({ subject, batch }) => {
      expect(batch.tenantId).toBe(gateway.tenantId);
      return batch.time.map((time, i) => {
        const vmId = batch.vmIds[batch.vm[i] as number] as string;
        expect(subject).toBe(`metrics.ingest.${metricPartition(vmId)}.gateway`);
        return [vmId, batch.metrics[batch.metric[i] as number], time, batch.value[i]];
      });
    });
    expect(points.sort()).toEqual(
      [
        [a, 'queue_depth', NOW, 1],
        [a, 'queue_depth', NOW + 1_000, 2.5],
        [b, 'app:latency', NOW, -3],
      ].sort(),
    );
  });

  it('keeps the good points and names the bad ones by their indexes', async () => {
    const vmId = newId();
    const answer = await gateway.ask('POST', '/api/v1/metrics/ingest', {
      // By hand: JSON has no infinity, but a number that becomes one.
      body: `{"series":[{"vmId":"${vmId}","metric":"x","points":[[${NOW},1],[${NOW},1e999],["now",1],[${NOW + 200_000_000},1],7,[${NOW}],[${NOW + 5},null],[${NOW + 6},2],[${NOW - 401 * 86_400_000},1]]},
        {"vmId":"web-1","metric":"x","points":[[${NOW},1]]},{"vmId":"${vmId}","metric":"Bad Name","points":[[${NOW},1]]},
        {"vmId":"${vmId}","metric":"cpu_usage","points":[[${NOW},1]]}]}`,
    });
    expect(answer.status).toBe(202);
    expect(answer.json.accepted).toBe(2);
    expect(
      answer.json.rejected.map(({ series, point, code }: Record<string, unknown>) => [series, point, code]),
    ).toEqual([
      [0, 1, 'invalid_value'],
      [0, 2, 'invalid_time'],
      [0, 3, 'time_in_future'],
      [0, 4, 'invalid_point'],
      [0, 5, 'invalid_point'],
      [0, 6, 'invalid_value'],
      [0, 8, 'time_too_old'],
      [1, null, 'invalid_vm_id'],
      [2, null, 'invalid_metric'],
      [3, null, 'reserved_metric'],
    ]);
  });

  it('accepts built-in names, for any tenant, from a platform operator', async () => {
    const before = (await stored()).length;
    const answer = await push(
      [{ vmId: newId(), metric: 'cpu_usage', points: [[NOW, 42.5]] }],
      gateway.token('platform_operator'),
    );
    expect(answer.json).toEqual({ accepted: 1, rejected: [] });
    expect((await stored(before + 1)).map(({ batch }) => batch.tenantId)).toEqual([null]);
  });

  it('splits points that exceed one message', async () => {
    const before = (await stored()).length;
    const points = Array.from({ length: 25_000 }, (_, i) => [NOW + i, i / 7]);
    expect((await push([{ vmId: newId(), metric: 'many', points }])).json.accepted).toBe(25_000);
    expect((await stored(before + 1)).map(({ batch }) => batch.time.length)).toEqual([10_000, 10_000, 5_000]);
  });

  it('of the wrong shape is 422, of too much 413', async () => {
    expect((await push([])).status).toBe(422);
    expect((await push([{ vmId: newId(), metric: 'x', points: [], more: 1 }])).status).toBe(422);
    const points = Array.from({ length: 50_000 }, (_, i) => [i, 1]);
    const series = Array.from({ length: 5 }, () => ({ vmId: newId(), metric: 'x', points }));
    expect((await push(series)).status).toBe(413);
  });

  // Last: the stream does not come back.
  it('is 503 with Retry-After when JetStream does not have them', async () => {
    await (await jetstreamManager(admin)).streams.delete('METRICS');
    const answer = await push([{ vmId: newId(), metric: 'x', points: [[NOW, 1]] }]);
    expect([answer.status, answer.json.retryable]).toEqual([503, true]);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  });
});
