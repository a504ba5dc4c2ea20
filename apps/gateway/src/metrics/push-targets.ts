import { CircuitBreaker, type CircuitBreakerOptions } from '@novacron/async/circuit-breaker';
import { LRUCache } from 'lru-cache';
import type { RequestMeta } from '@novacron/contracts/envelope';
import type { TenantId, VmId } from '@novacron/contracts/ids';
import { isBuiltIn, metricsRpc } from '@novacron/contracts/metrics';
import { vmsRpc } from '@novacron/contracts/vms';
import type { Rpc } from '../reads/requester.js';
import type { GoodSeries, Rejections } from './check-points.js';

/** A VM as the orchestrator describes it; null when it does not exist. */
type Target = { readonly tenantId: TenantId; readonly deletedAt: number | null } | null;

interface Remembered<T> {
  readonly value: T;
  readonly until: number;
}

const REQUEST_MS = 1_000;
/** An owner that failed a request receives none for this long, and then one first. */
const OWNER: CircuitBreakerOptions = { failures: 1, openMs: 3_000 };
const VMS = 50_000;
const NAMES = 100_000;
/** An unknown VM may just have been created, so it is located again soon. A known one may be deleted. */
const UNKNOWN_MS = 2_000;
const KNOWN_MS = 30_000;
/** Another name may take the tenant's last place, or an operator may raise the limit. */
const NAME_MS = 10_000;

/**
 * Which VMs and names a push may write: the orchestrator knows the VMs, and metrics-ingest the names. Both answers are
 * remembered for seconds. An unreachable owner refuses nothing, because the ingester judges every point again, and
 * counts the dropped ones by tenant. One push waits for such an owner, and then none for seconds.
 */
export class PushTargets {
  private readonly vms = new LRUCache<VmId, Remembered<Target>>({ max: VMS });
  private readonly refused = new LRUCache<string, Remembered<boolean>>({ max: NAMES });

  private readonly locating = new Map<VmId, Promise<void>>();
  private readonly orchestrator: CircuitBreaker;
  private readonly metrics: CircuitBreaker;

  constructor(
    private readonly rpc: Rpc,
    private readonly now: () => number = Date.now,
  ) {
    this.orchestrator = new CircuitBreaker({ ...OWNER, now });
    this.metrics = new CircuitBreaker({ ...OWNER, now });
  }

  /**
   * The series that can be stored; the others go to `rejected`.
   * @param tenantId the owner of the VMs; null for a platform operator, who may write to VMs of any tenant
   */
  async check(
    tenantId: TenantId | null,
    series: readonly GoodSeries[],
    rejected: Rejections,
  ): Promise<GoodSeries[]> {
    await this.locate([...new Set(series.map(({ vmId }) => vmId))]);
    const there = series.flatMap((one) => {
      const target = this.vms.get(one.vmId)?.value;
      if (target === undefined) return [one];
      if (target === null || (tenantId !== null && target.tenantId !== tenantId)) {
        rejected.add(one.index, null, { code: 'unknown_vm', detail: `There is no VM ${one.vmId}` });
        return [];
      }
      return target.deletedAt === null ? [one] : beforeDeletion(one, target.deletedAt, rejected);
    });
    const owner = ({ vmId }: GoodSeries) => tenantId ?? this.vms.get(vmId)?.value?.tenantId;
    await this.requestNames(there, owner);
    return there.filter((one) => {
      const tenant = owner(one);
      if (tenant === undefined || !this.refused.get(`${tenant}/${one.metric}`)?.value) return true;
      const detail = `${one.metric} is new, and the tenant has too many metric names`;
      rejected.add(one.index, null, { code: 'too_many_names', detail });
      return false;
    });
  }

  private async locate(ids: readonly VmId[]): Promise<void> {
    const now = this.now();
    const unknown = ids.filter((id) => (this.vms.get(id)?.until ?? 0) <= now);
    const fresh = unknown.filter((id) => !this.locating.has(id));
    if (fresh.length > 0) {
      const request = this.requestVms(fresh, now).finally(() =>
        fresh.forEach((id) => this.locating.delete(id)),
      );
      for (const id of fresh) {
        this.vms.delete(id);
        this.locating.set(id, request);
      }
    }
    await Promise.all(unknown.flatMap((id) => this.locating.get(id) ?? []));
  }

  private async requestVms(ids: readonly VmId[], now: number): Promise<void> {
    const reply = await replyThrough(this.orchestrator, () =>
      this.rpc.request(vmsRpc.locate, serviceMeta(), { ids: [...ids] }),
    );
    if (!reply) return;
    const found = new Map(reply.body.map((one) => [one.id, one]));
    for (const id of ids) {
      const one = found.get(id);
      // An orchestrator of the previous version omits the time: the ingester then judges the points.
      const deletedAt = one?.deletedAt ?? null;
      const value = one ? { tenantId: one.tenantId, deletedAt } : null;
      this.vms.set(id, { value, until: now + (value ? KNOWN_MS : UNKNOWN_MS) });
    }
  }

  private async requestNames(
    series: readonly GoodSeries[],
    owner: (one: GoodSeries) => TenantId | undefined,
  ): Promise<void> {
    const now = this.now();
    const wanted = new Map<TenantId, Set<string>>();
    for (const one of series) {
      const tenant = owner(one);
      if (tenant === undefined || isBuiltIn(one.metric)) continue;
      const key = `${tenant}/${one.metric}`;
      if ((this.refused.get(key)?.until ?? 0) > now) continue;
      this.refused.delete(key);
      wanted.set(tenant, (wanted.get(tenant) ?? new Set<string>()).add(one.metric));
    }
    await Promise.all([...wanted].map(([tenant, names]) => this.requestNamesOf(tenant, [...names])));
  }

  private async requestNamesOf(tenant: TenantId, names: string[]): Promise<void> {
    const reply = await replyThrough(this.metrics, () =>
      this.rpc.request(metricsRpc.refusedNames, serviceMeta(tenant), { names }),
    );
    if (!reply) return;
    const refused = new Set(reply.body.refused);
    const until = this.now() + NAME_MS;
    for (const name of names) this.refused.set(`${tenant}/${name}`, { value: refused.has(name), until });
  }
}

/** Keeps the points from before the VM's deletion, and rejects the later ones. */
function beforeDeletion(one: GoodSeries, deletedAt: number, rejected: Rejections): GoodSeries[] {
  const kept = one.times.map((time) => time <= deletedAt);
  const detail = `VM ${one.vmId} was deleted at ${new Date(deletedAt).toISOString()}`;
  one.places.forEach((point, i) => {
    if (!kept[i]) rejected.add(one.index, point, { code: 'vm_deleted', detail });
  });
  const keep = (column: readonly number[]) => column.filter((_, i) => kept[i]);
  const rest = { ...one, places: keep(one.places), times: keep(one.times), values: keep(one.values) };
  return rest.times.length > 0 ? [rest] : [];
}

/** The reply; null when the owner fails, or its circuit is open. */
async function replyThrough<T>(owner: CircuitBreaker, request: () => Promise<T>): Promise<T | null> {
  try {
    return await owner.run(request);
  } catch {
    return null;
  }
}

/** The gateway sends these requests as itself: for VMs of any tenant, for names of one. */
function serviceMeta(tenantId = '00000000-0000-0000-0000-000000000000' as TenantId): RequestMeta {
  return {
    tenantId,
    principal: 'service:gateway',
    roles: [],
    remainingMs: REQUEST_MS,
    consistency: 'strong',
    minPosition: null,
  };
}
