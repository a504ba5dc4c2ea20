import { VmId } from '@novacron/contracts/ids';
import {
  isBuiltIn,
  MAX_NAMED_REJECTIONS,
  MetricName,
  type PushMetrics,
  type PushResult,
} from '@novacron/contracts/metrics';
import { YEAR_2001 } from '@novacron/contracts/time';

/** The accepted points of one series. */
export interface GoodSeries {
  /** The index of the series in the request, and the indexes of its points in the series. */
  readonly index: number;
  readonly places: readonly number[];
  readonly vmId: VmId;
  readonly metric: string;
  readonly times: readonly number[];
  readonly values: readonly number[];
}

type Rejection = PushResult['rejected'][number];

/** Rejections of one push: the first ones are named, and all are counted. */
export class Rejections {
  readonly named: Rejection[] = [];
  #total = 0;

  /** The number of those that are not named. */
  get more(): number {
    return this.#total - this.named.length;
  }

  add(series: number, point: number | null, wrong: Pick<Rejection, 'code' | 'detail'>): void {
    this.#total += 1;
    if (this.named.length < MAX_NAMED_REJECTIONS) this.named.push({ series, point, ...wrong });
  }
}

/** Times of points that can be stored, in milliseconds since 1970. */
export interface TimeBounds {
  readonly oldest: number;
  readonly newest: number;
}

/**
 * Judges every point on its own: accepts it, or rejects it with its index in the request.
 * @param mayPushBuiltIns whether the caller may write the metrics that agents report
 */
export function checkPoints(
  push: PushMetrics,
  mayPushBuiltIns: boolean,
  bounds: TimeBounds,
): { good: GoodSeries[]; rejected: Rejections } {
  const good: GoodSeries[] = [];
  const rejected = new Rejections();
  const judge = pointJudge(bounds);
  push.series.forEach((series, index) => {
    const vmId = VmId.safeParse(series.vmId);
    if (!vmId.success) {
      rejected.add(index, null, { code: 'invalid_vm_id', detail: 'vmId is not a UUID' });
      return;
    }
    const wrong = wrongMetric(series.metric, mayPushBuiltIns);
    if (wrong !== null) {
      rejected.add(index, null, wrong);
      return;
    }
    const places: number[] = [];
    const times: number[] = [];
    const values: number[] = [];
    series.points.forEach((point, place) => {
      const problem = judge(point);
      if (problem !== null) {
        rejected.add(index, place, problem);
        return;
      }
      const [time, value] = point as [number, number];
      places.push(place);
      times.push(time);
      values.push(value);
    });
    if (times.length > 0) good.push({ index, places, vmId: vmId.data, metric: series.metric, times, values });
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

/** Judges points. The texts of its rejections are built once for all points. */
function pointJudge({ oldest, newest }: TimeBounds): (point: unknown) => Wrong {
  const notAPoint = { code: 'invalid_point', detail: 'a point is [time, value]' };
  const notATime = {
    code: 'invalid_time',
    detail: 'the time is a whole number of milliseconds since 1970',
  };
  const tooNew = {
    code: 'time_in_future',
    detail: `the time is later than ${new Date(newest).toISOString()}`,
  };
  const tooOld = {
    code: 'time_too_old',
    detail: `points before ${new Date(oldest).toISOString()} are not kept`,
  };
  const inSeconds = {
    code: 'time_in_seconds',
    detail: 'times before 2001 are probably seconds: send milliseconds',
  };
  const notAValue = { code: 'invalid_value', detail: 'the value is a finite number' };
  return (point) => {
    if (!Array.isArray(point) || point.length !== 2) return notAPoint;
    const [time, value] = point as [unknown, unknown];
    if (!Number.isSafeInteger(time) || (time as number) < 0) return notATime;
    if ((time as number) < YEAR_2001) return inSeconds;
    if ((time as number) > newest) return tooNew;
    if ((time as number) < oldest) return tooOld;
    return Number.isFinite(value) ? null : notAValue;
  };
}
