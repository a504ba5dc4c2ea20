import type { RequestMeta } from '@novacron/contracts/envelope';
import type { TenantId, VmId } from '@novacron/contracts/ids';
import { isBuiltIn, metricsRpc } from '@novacron/contracts/metrics';
import { vmsRpc } from '@novacron/contracts/vms';
import { LRUCache } from 'lru-cache';
import type { Rpc } from '../reads/requester.js';
import { Breaker } from './breaker.js';
import type { GoodSeries, Rejections } from './check-points.js';

/** What the orchestrator says of a VM; null when it knows none. */
type Target = { readonly tenantId: TenantId; readonly deletedAt: number | null } | null;

interface Remembered<T> {
  readonly value: T;
  readonly until: number;
}

const ASK_MS = 1_000;
const VMS = 50_000;
const NAMES = 100_000;
/** A VM that was just created is asked about again soon; one that is there may be deleted. */
const UNKNOWN_MS = 2_000;
const KNOWN_MS = 30_000;
/** A name may take the last room of its tenant, or an operator may raise the limit. */
const NAME_MS = 10_000;

/**
 * Which VMs and names a push may write, as far as their owners can be asked: the orchestrator about VMs,
 * metrics-ingest about names. Both are remembered for seconds. An owner that is away refuses nothing: the intake
 * judges every point again, and counts by tenant what it drops. One push waits for it, and then none for seconds.
 */
export class PushTargets {
  private readonly vms = new LRUCache<VmId, Remembered<Target>>({ max: VMS });
  private readonly refused = new LRUCache<string, Remembered<boolean>>({ max: NAMES });

  private readonly asking = new Map<VmId, Promise<void>>();
  private readonly orchestrator: Breaker;
  private readonly metrics: Breaker;

  constructor(
    private readonly rpc: Rpc,
    private readonly now: () => number = Date.now,
  ) {
    this.orchestrator = new Breaker(now);
    this.metrics = new Breaker(now);
  }

  /**
   * The series that can be stored; the others go to `rejected`.
   * @param tenantId whose VMs these must be; null for a platform operator, who may write any tenant's
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
    await this.askNames(there, owner);
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
    const fresh = unknown.filter((id) => !this.asking.has(id));
    if (fresh.length > 0) {
      const question = this.askVms(fresh, now).finally(() => fresh.forEach((id) => this.asking.delete(id)));
      for (const id of fresh) {
        this.vms.delete(id);
        this.asking.set(id, question);
      }
    }
    await Promise.all(unknown.flatMap((id) => this.asking.get(id) ?? []));
  }

  private async askVms(ids: readonly VmId[], now: number): Promise<void> {
    const reply = await this.orchestrator.ask(() =>
      this.rpc.request(vmsRpc.locate, serviceMeta(), { ids: [...ids] }),
    );
    if (!reply) return;
    const found = new Map(reply.body.map((one) => [one.id, one]));
    for (const id of ids) {
      const one = found.get(id);
      // An orchestrator of the version before does not say when: the intake judges by the time.
      const deletedAt = one?.deletedAt ?? null;
      const value = one ? { tenantId: one.tenantId, deletedAt } : null;
      this.vms.set(id, { value, until: now + (value ? KNOWN_MS : UNKNOWN_MS) });
    }
  }

  private async askNames(
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
    await Promise.all([...wanted].map(([tenant, names]) => this.askNamesOf(tenant, [...names])));
  }

  private async askNamesOf(tenant: TenantId, names: string[]): Promise<void> {
    const reply = await this.metrics.ask(() =>
      this.rpc.request(metricsRpc.refusedNames, serviceMeta(tenant), { names }),
    );
    if (!reply) return;
    const refused = new Set(reply.body.refused);
    const until = this.now() + NAME_MS;
    for (const name of names) this.refused.set(`${tenant}/${name}`, { value: refused.has(name), until });
  }
}

/** Points that were measured while the VM was there are kept; the later ones are named. */
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

/** The gateway asks for itself: about VMs of any tenant, about names of one. */
function serviceMeta(tenantId = '00000000-0000-0000-0000-000000000000' as TenantId): RequestMeta {
  return {
    tenantId,
    principal: 'service:gateway',
    roles: [],
    remainingMs: ASK_MS,
    consistency: 'strong',
    minPosition: null,
  };
}
