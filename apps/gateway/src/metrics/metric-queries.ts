import { lastHourId } from '@novacron/cache/last-hour';
import { metricsGroup } from '@novacron/cache/rules';
import { LATEST_LIMIT, metricsRpc } from '@novacron/contracts/metrics';
import type { InputOf } from '@novacron/contracts/operation';
import type { latestMetrics, queryMetrics } from '@novacron/contracts/operations/metrics';
import { cacheableQuery, type CacheableQuery } from '../reads/cacheable-query.js';
import { rangeOf } from './range.js';

export function rangeQuery({ params, query }: InputOf<typeof queryMetrics>): CacheableQuery {
  const { metric, agg, ...range } = query;
  const vmId = params.id;
  const isLastHour = range.from === undefined && range.to === undefined;
  const id = lastHourId(vmId, { metric, agg, step: range.step });
  return cacheableQuery(
    metricsRpc.range,
    () => ({ vmId, metric, agg, ...rangeOf(range) }),
    isLastHour ? { type: 'metrics-hour', id, group: metricsGroup(vmId) } : null,
  );
}

export function latestQuery({ params: { id }, query }: InputOf<typeof latestMetrics>): CacheableQuery {
  const isFirst = query.cursor === undefined && query.limit === LATEST_LIMIT;
  return cacheableQuery(
    metricsRpc.latest,
    { vmId: id, ...query },
    // Nearly always there is one page. It is the one that is warmed.
    isFirst ? { type: 'metrics-latest', id, group: metricsGroup(id) } : null,
  );
}
