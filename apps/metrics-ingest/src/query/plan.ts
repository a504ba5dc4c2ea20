import { BUILT_IN_METRICS, isBuiltIn, type Aggregation, type RangeQuery } from '@novacron/contracts/metrics';
import { ServiceError } from '@novacron/contracts/errors';

/** The maximum of points of one series in one reply, as in Prometheus. */
export const MAX_POINTS = 11_000;
/** The maximum of points of all series in one reply, so that it fits a NATS message of 1 MB. */
export const MAX_POINTS_IN_ALL = 24_000;

/** A rate needs a sample before the first. It is searched this far back, or one step if that is longer. */
const LOOK_BACK_MS = 15 * 60_000;

/** A range query with its bounds checked. Times are milliseconds. */
export interface RangePlan {
  readonly from: number;
  readonly to: number;
  readonly stepMs: number;
  /** The number of buckets of `stepMs`; the last one may be shorter. */
  readonly buckets: number;
  readonly agg: Aggregation;
  readonly metrics: readonly string[];
  /** The time from which points are read. */
  readonly readFrom: number;
}

/** @throws ServiceError invalid_request that names the field */
export function planRange(query: RangeQuery): RangePlan {
  const { from, to, agg } = query;
  const stepMs = query.step * 1_000;
  const metrics = [...new Set(query.metric)];
  if (to <= from) throw invalid('/to', 'must be later than from');
  if (!Number.isSafeInteger(from) || Math.abs(from) > 8.64e15 || to > 8.64e15)
    throw invalid('/from', 'is not a time');
  const buckets = Math.ceil((to - from) / stepMs);
  if (buckets > MAX_POINTS) {
    throw invalid(
      '/step',
      `${buckets} points for each series are more than ${MAX_POINTS}: take a larger step`,
    );
  }
  if (buckets * metrics.length > MAX_POINTS_IN_ALL) {
    throw invalid(
      '/metric',
      `${buckets * metrics.length} points are more than ${MAX_POINTS_IN_ALL}: take fewer metrics or a larger step`,
    );
  }
  if (agg === 'rate') {
    const gauge = metrics.find((name) => isBuiltIn(name) && BUILT_IN_METRICS[name].type === 'gauge');
    if (gauge !== undefined) throw invalid('/agg', `${gauge} is not a counter, so it has no rate`);
  }
  const readFrom = agg === 'rate' ? from - Math.max(LOOK_BACK_MS, stepMs) : from;
  return { from, to, stepMs, buckets, agg, metrics, readFrom };
}

/** The unit of this metric under an aggregation; '' when it is unknown. */
export function unitOf(metric: string, agg: Aggregation): string {
  const unit = isBuiltIn(metric) ? BUILT_IN_METRICS[metric].unit : '';
  return agg === 'rate' ? `${unit}/s` : unit;
}

function invalid(path: string, message: string): ServiceError {
  return new ServiceError('invalid_request', `${path.slice(1)} ${message}`, { errors: [{ path, message }] });
}
