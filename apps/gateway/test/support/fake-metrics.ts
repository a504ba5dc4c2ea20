import type { NatsConnection } from '@nats-io/transport-node';
import { WireRequest } from '@novacron/contracts/envelope';
import { metricsRpc, type LatestResult, type RangeQuery } from '@novacron/contracts/metrics';

/** Answers the contracts of metrics-ingest with one point. */
export function fakeMetrics(nc: NatsConnection, requests: WireRequest[]): void {
  const reply = (body: object) => JSON.stringify({ ok: true, position: '7000000000000000001.1.900', body });
  nc.subscribe(metricsRpc.range.subject, {
    callback: (_error, message) => {
      const request = WireRequest.parse(message.json());
      requests.push(request);
      const { from, to, step, metric, agg } = request.body as RangeQuery;
      const series = metric.map((name) => ({
        metric: name,
        unit: 'percent',
        agg,
        timestamps: [from],
        values: [42.5],
      }));
      message.respond(reply({ from, to, step, resolution: 0, series }));
    },
  });
  nc.subscribe(metricsRpc.latest.subject, {
    callback: (_error, message) => {
      const request = WireRequest.safeParse(message.json());
      // The readiness check sends an empty request.
      if (!request.success) {
        message.respond(JSON.stringify({ ok: false, code: 'invalid_request', detail: 'empty' }));
        return;
      }
      const { vmId } = request.data.body as LatestResult;
      message.respond(
        reply({
          vmId,
          values: { cpu_usage: { value: 42.5, timestamp: 1_767_225_600_000 } },
          nextCursor: null,
        }),
      );
    },
  });
}
