import { VmId } from '@novacron/contracts/ids';
import { isBuiltIn, MetricName, type PushMetrics, type PushResult } from '@novacron/contracts/metrics';

/** Points of one series that are good. */
export interface GoodSeries {
  readonly vmId: VmId;
  readonly metric: string;
  readonly times: readonly number[];
  readonly values: readonly number[];
}

type Rejection = PushResult['rejected'][number];

/** Times of points that can be stored, in milliseconds since 1970. */
export interface TimeBounds {
  readonly oldest: number;
  readonly newest: number;
}

/**
 * Looks at every point by itself: the good ones to keep, the bad ones named by their places in the request.
 * @param mayPushBuiltIns whether the caller may write the metrics that agents report
 */
export function checkPoints(
  push: PushMetrics,
  mayPushBuiltIns: boolean,
  bounds: TimeBounds,
): { good: GoodSeries[]; rejected: Rejection[] } {
  const good: GoodSeries[] = [];
  const rejected: Rejection[] = [];
  push.series.forEach((series, index) => {
    const vmId = VmId.safeParse(series.vmId);
    if (!vmId.success) {
      rejected.push({ series: index, point: null, code: 'invalid_vm_id', detail: 'vmId is not a UUID' });
      return;
    }
    const wrong = wrongMetric(series.metric, mayPushBuiltIns);
    if (wrong !== null) {
      rejected.push({ series: index, point: null, ...wrong });
      return;
    }
    const times: number[] = [];
    const values: number[] = [];
    series.points.forEach((point, place) => {
      const problem = wrongPoint(point, bounds);
      if (problem !== null) {
        rejected.push({ series: index, point: place, ...problem });
        return;
      }
      const [time, value] = point as [number, number];
      times.push(time);
      values.push(value);
    });
    if (times.length > 0) good.push({ vmId: vmId.data, metric: series.metric, times, values });
  });
  return { good, rejected };
}

type Wrong = Pick<Rejection, 'code' | 'detail'> | null;

function wrongMetric(metric: string, mayPushBuiltIns: boolean): Wrong {
  const name = MetricName.safeParse(metric);
  if (!name.success)
    return { code: 'invalid_metric', detail: name.error.issues[0]?.message ?? 'not a metric name' };
  if (isBuiltIn(metric) && !mayPushBuiltIns)
    return { code: 'reserved_metric', detail: `${metric} comes from the host's agent alone` };
  return null;
}

function wrongPoint(point: unknown, { oldest, newest }: TimeBounds): Wrong {
  if (!Array.isArray(point) || point.length !== 2)
    return { code: 'invalid_point', detail: 'a point is [time, value]' };
  const [time, value] = point as [unknown, unknown];
  if (!Number.isSafeInteger(time) || (time as number) < 0) {
    return { code: 'invalid_time', detail: 'the time is a whole number of milliseconds since 1970' };
  }
  if ((time as number) > newest)
    return { code: 'time_in_future', detail: `the time is later than ${new Date(newest).toISOString()}` };
  if ((time as number) < oldest)
    return { code: 'time_too_old', detail: `points before ${new Date(oldest).toISOString()} are not kept` };
  if (!Number.isFinite(value)) return { code: 'invalid_value', detail: 'the value is a finite number' };
  return null;
}
