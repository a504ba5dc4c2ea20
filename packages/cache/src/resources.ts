/**
 * How long an answer of each type is kept. Invalidation keeps caches right. The TTL bounds what invalidation cannot
 * reach: readers that ask for `eventual`, and unused memory. Every TTL is above zero and finite.
 *
 * | type | TTL | refreshed after | an absence | becomes old by |
 * |---|---|---|---|---|
 * | vm | 5 min | 80 % | 10 s | an event of the VM with a higher version |
 * | vm-list | 60 s | 80 % | – | any event of a VM of the tenant |
 * | placement | 60 s | 80 % | – | any event of a job of the tenant: a decision is committed with its step |
 * | job | 60 s | 90 % | 5 s | an event of the job with a higher version |
 * | job-list | 30 s | 80 % | – | any event of a job of the tenant |
 * | metrics-latest | 15 s | 70 % | 5 s | new points of the VM |
 * | metrics-hour | 60 s | 70 % | 5 s | new points of the VM |
 * | image-list | 5 min | 80 % | – | any event of an image, a zone or a host |
 * | zone-list | 5 min | 80 % | – | any event of a zone, an image, a host or a VM (capacity) |
 */
export const RESOURCES = {
  vm: { kind: 'single', ttlMs: 300_000, refreshAt: 0.8, negativeTtlMs: 10_000 },
  'vm-list': { kind: 'list', ttlMs: 60_000, refreshAt: 0.8, negativeTtlMs: null },
  placement: { kind: 'list', ttlMs: 60_000, refreshAt: 0.8, negativeTtlMs: null },
  job: { kind: 'single', ttlMs: 60_000, refreshAt: 0.9, negativeTtlMs: 5_000 },
  'job-list': { kind: 'list', ttlMs: 30_000, refreshAt: 0.8, negativeTtlMs: null },
  'metrics-latest': { kind: 'metrics', ttlMs: 15_000, refreshAt: 0.7, negativeTtlMs: 5_000 },
  'metrics-hour': { kind: 'metrics', ttlMs: 60_000, refreshAt: 0.7, negativeTtlMs: 5_000 },
  'image-list': { kind: 'list', ttlMs: 300_000, refreshAt: 0.8, negativeTtlMs: null },
  'zone-list': { kind: 'list', ttlMs: 300_000, refreshAt: 0.8, negativeTtlMs: null },
} as const satisfies Record<string, ResourcePolicy>;

export type ResourceType = keyof typeof RESOURCES;

export interface ResourcePolicy {
  /** `single`: one resource with a version. `list` and `metrics`: answers that become old with their group. */
  readonly kind: 'single' | 'list' | 'metrics';
  readonly ttlMs: number;
  /** Fraction of the TTL after which a hit starts a refresh in the background. */
  readonly refreshAt: number;
  /** How long an absence is remembered; null: this type has no absences. */
  readonly negativeTtlMs: number | null;
}

/** @returns how long an answer with this status is kept, milliseconds; null: it is not kept */
export function ttlFor(policy: ResourcePolicy, status: number): number | null {
  if (status === 200) return policy.ttlMs;
  return status === 404 ? policy.negativeTtlMs : null;
}
