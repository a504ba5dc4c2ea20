import { lastHourId } from '@novacron/cache/last-hour';
import { metricsGroup } from '@novacron/cache/rules';
import { LATEST_LIMIT, metricsRpc } from '@novacron/contracts/metrics';
import { latestMetrics, queryMetrics } from '@novacron/contracts/operations/metrics';
import { implementRead } from '../http/route.js';
import { question } from '../reads/cacheable-query.js';
import { rangeOf } from './range.js';

export const queryMetricsRoute = implementRead(
  queryMetrics,
  ({ params, query: { metric, agg, ...range } }) => {
    const vmId = params.id;
    const isLastHour = range.from === undefined && range.to === undefined;
    const id = lastHourId(vmId, { metric, agg, step: range.step });
    return question(
      metricsRpc.range,
      () => ({ vmId, metric, agg, ...rangeOf(range) }),
      isLastHour ? { type: 'metrics-hour', id, group: metricsGroup(vmId) } : null,
    );
  },
);

export const latestMetricsRoute = implementRead(latestMetrics, ({ params: { id }, query }) => {
  const isFirst = query.cursor === undefined && query.limit === LATEST_LIMIT;
  return question(
    metricsRpc.latest,
    { vmId: id, ...query },
    // The first page, which is warmed, is nearly always all there is.
    isFirst ? { type: 'metrics-latest', id, group: metricsGroup(id) } : null,
  );
});
