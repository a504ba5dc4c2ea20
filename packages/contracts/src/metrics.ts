import { fnv1a } from '@novacron/async/hash';
import { z } from 'zod';
import { defineRpc } from './envelope.js';
import { TenantId, VmId } from './ids.js';
import { subjectOf } from './subject.js';

/** Partitions of metric ingest. One owner reads one partition in order. */
export const METRIC_PARTITIONS = 16;

/** FNV-1a of the id, modulo the partitions. */
export function metricPartition(vmId: string): number {
  return fnv1a(vmId) % METRIC_PARTITIONS;
}

/** `metrics.ingest.<partition>.<source>`. The source is a host's id, or `gateway`. */
export function metricSubject(partition: number, source: string): string {
  return subjectOf('metrics', 'ingest', partition, source);
}

export const MetricName = z
  .string()
  .max(200)
  .regex(/^[a-z_:][a-z0-9_:]*$/, 'lower-case letters, digits, _ and :');

/** Built-in metrics: percent of the VM's size (0–100), or bytes since boot. */
export const BUILT_IN_METRICS = {
  cpu_usage: { unit: 'percent', type: 'gauge' },
  memory_usage: { unit: 'percent', type: 'gauge' },
  disk_read_bytes: { unit: 'bytes', type: 'counter' },
  disk_write_bytes: { unit: 'bytes', type: 'counter' },
  network_recv: { unit: 'bytes', type: 'counter' },
  network_sent: { unit: 'bytes', type: 'counter' },
} as const;
export type BuiltInMetric = keyof typeof BUILT_IN_METRICS;

export function isBuiltIn(metric: string): metric is BuiltInMetric {
  return Object.hasOwn(BUILT_IN_METRICS, metric);
}

/** The maximum number of metric names of a tenant, so that names with ids or times in them cannot fill the table. */
export const NAMES_PER_TENANT = 10_000;

/** Names that one batch may hold. */
export const MAX_BATCH_VMS = 10_000;
export const MAX_BATCH_METRICS = 1_000;

/** A batch as it travels on JetStream: columns of one length. Times are milliseconds since 1970. */
export const MetricBatch = z
  .object({
    v: z.literal(1),
    /** Set in batches that users push. Null in batches of hosts: ingest looks up the tenants of their VMs. */
    tenantId: TenantId.nullable(),
    vmIds: z.array(VmId).max(MAX_BATCH_VMS),
    metrics: z.array(MetricName).max(MAX_BATCH_METRICS),
    /** For each point an index into `vmIds`, an index into `metrics`, a time and a value. */
    vm: z.array(z.number().int().nonnegative()),
    metric: z.array(z.number().int().nonnegative()),
    time: z.array(z.number().int()),
    value: z.array(z.number()),
  })
  .refine(
    (b) => b.vm.length === b.metric.length && b.vm.length === b.time.length && b.vm.length === b.value.length,
    'columns differ in length',
  );
export type MetricBatch = z.infer<typeof MetricBatch>;

/** A push. The schema does not parse points, so that the gateway can accept good ones and name bad ones. */
export const PushMetrics = z.strictObject({
  series: z
    .array(z.strictObject({ vmId: z.string(), metric: z.string(), points: z.array(z.unknown()).max(50_000) }))
    .min(1)
    .max(1_000),
});
export type PushMetrics = z.infer<typeof PushMetrics>;

/** The maximum number of rejections that an answer names. */
export const MAX_NAMED_REJECTIONS = 1_000;

export const PushResult = z.object({
  accepted: z.number().int(),
  rejected: z
    .array(
      z.object({
        series: z.number().int(),
        point: z.number().int().nullable(),
        code: z.string(),
        detail: z.string(),
      }),
    )
    .max(MAX_NAMED_REJECTIONS),
  /** The number of rejections beside the named ones. Missing when it would be 0. */
  moreRejected: z.number().int().optional(),
});
export type PushResult = z.infer<typeof PushResult>;

export const Aggregation = z.enum(['avg', 'min', 'max', 'sum', 'last', 'rate']);
export type Aggregation = z.infer<typeof Aggregation>;

/** `from` and `to` are milliseconds since 1970, `to` is exclusive. `step` is in seconds. */
export const RangeQuery = z.object({
  vmId: VmId,
  metric: z.array(MetricName).min(1).max(20),
  from: z.number().int(),
  to: z.number().int(),
  step: z
    .number()
    .int()
    .min(1)
    .max(86_400 * 31),
  agg: Aggregation,
});
export type RangeQuery = z.infer<typeof RangeQuery>;

export const RangeResult = z.object({
  from: z.number().int(),
  to: z.number().int(),
  step: z.number().int(),
  /** Seconds between the stored points that the answer was computed from; 0 for raw points. */
  resolution: z.number().int(),
  series: z.array(
    z.object({
      metric: z.string(),
      unit: z.string(),
      agg: Aggregation,
      timestamps: z.array(z.number().int()),
      values: z.array(z.number().nullable()),
    }),
  ),
});
export type RangeResult = z.infer<typeof RangeResult>;

/**
 * The start of a range without `from`: the last multiple of its step. Buckets of the past are then the same, whenever
 * the query is sent.
 * @param time milliseconds since 1970
 * @param step seconds
 */
export function alignedToStep(time: number, step: number): number {
  return time - (time % (step * 1_000));
}

/** The maximum and default number of metrics in a page. */
export const LATEST_LIMIT = 500;

export const LatestQuery = z.object({
  vmId: VmId,
  limit: z.number().int().min(1).max(LATEST_LIMIT).default(LATEST_LIMIT),
  cursor: z.string().max(500).optional(),
});
export type LatestQuery = z.infer<typeof LatestQuery>;

/** A page of a VM's metrics, in the order of their first points. */
export const LatestResult = z.object({
  vmId: VmId,
  values: z.record(MetricName, z.object({ value: z.number(), timestamp: z.number().int() })),
  nextCursor: z.string().nullable(),
});
export type LatestResult = z.infer<typeof LatestResult>;

/** Why accepted points were not stored. */
export const DropReason = z.enum([
  'unknown_vm',
  'vm_deleted',
  'too_old',
  'in_future',
  'too_many_names',
  'unstorable',
]);
export type DropReason = z.infer<typeof DropReason>;

/** A tenant's metric names, and the points that ingest dropped since `since`. Times are milliseconds since 1970. */
export const IntakeResult = z.object({
  since: z.number().int(),
  names: z.object({ used: z.number().int(), limit: z.number().int() }),
  dropped: z
    .array(
      z.object({
        reason: DropReason,
        points: z.number().int(),
        lastAt: z.number().int(),
        /** The last dropped point. */
        last: z.object({ vmId: z.string().max(36), metric: z.string().max(200) }),
      }),
    )
    .max(DropReason.options.length),
});
export type IntakeResult = z.infer<typeof IntakeResult>;

export const metricsRpc = {
  range: defineRpc('rpc.metrics.series.range', RangeQuery, RangeResult, 'refused'),
  latest: defineRpc('rpc.metrics.series.latest', LatestQuery, LatestResult, 'paged'),
  intake: defineRpc('rpc.metrics.intake.account', z.object({}), IntakeResult, 'bounded'),
  /** Replies with the names that would exceed the tenant's limit. */
  refusedNames: defineRpc(
    'rpc.metrics.names.refused',
    z.object({ names: z.array(MetricName).max(1_000) }),
    z.object({ refused: z.array(MetricName).max(1_000) }),
    'bounded',
  ),
};
