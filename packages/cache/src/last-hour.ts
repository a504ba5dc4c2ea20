import { alignedToStep, type Aggregation, type RangeQuery } from '@novacron/contracts/metrics';
import { hash } from 'node:crypto';

/** A query for a VM's last hour, at whatever time it is sent. */
export interface LastHour {
  readonly metric: readonly string[];
  readonly agg: Aggregation;
  /** Seconds. Without it the default applies. */
  readonly step?: number | undefined;
}

/** The query that warming loads: the one that a VM's page shows first. */
export const HOT_HOUR: LastHour = { metric: ['cpu_usage', 'memory_usage'], agg: 'avg' };

const HOUR_MS = 3_600_000;
/** About 120 points. */
const DEFAULT_STEP = 30;

/** The id of the answer, of type `metrics-hour`. The order of metrics counts: it is that of the answer. */
export function lastHourId(vmId: string, { metric, agg, step }: LastHour): string {
  return `${vmId}.${hash('sha1', JSON.stringify([metric, agg, step ?? null]), 'base64url')}`;
}

/** The hour that ends now, with the buckets that the gateway's default range has. */
export function lastHourQuery(
  vmId: RangeQuery['vmId'],
  { metric, agg, step = DEFAULT_STEP }: LastHour,
  now = Date.now(),
): RangeQuery {
  const from = alignedToStep(now - HOUR_MS, step);
  return { vmId, metric: [...metric], agg, step, from, to: now };
}
