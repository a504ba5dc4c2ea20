import { keyOf, groupOf } from '@novacron/cache/change';
import type { Entry } from '@novacron/cache/entry';
import type { L2Place } from '@novacron/cache/l2';
import { RESOURCES, type ResourceType } from '@novacron/cache/resources';
import { metricsGroup } from '@novacron/cache/rules';
import type { BytesReply } from '@novacron/contracts/envelope';
import { metricsRpc } from '@novacron/contracts/metrics';
import { type Position, parsePosition } from '@novacron/contracts/position';
import { type Vm, type VmListQuery, vmsRpc } from '@novacron/contracts/vms';
import type { RpcClient } from '@novacron/messaging/rpc-client';
import { asTenant } from '../service-meta.js';

/** What goes into the shared cache, and where. */
export interface Filling {
  readonly place: L2Place;
  readonly entry: Entry;
}

export interface HotPage {
  readonly vms: readonly Pick<Vm, 'id' | 'tenantId'>[];
  readonly fillings: readonly Filling[];
  readonly nextCursor: string | null;
}

const PAGE = 500;

/** One page of a tenant's running VMs, the newest first, each as the answer to a question for it. */
export async function runningVms(
  rpc: RpcClient,
  tenantId: string,
  { atMost, cursor }: { readonly atMost: number; readonly cursor: string | null },
): Promise<HotPage> {
  const query: VmListQuery = {
    state: ['running'],
    sort: '-createdAt',
    limit: Math.min(PAGE, atMost),
    ...(cursor === null ? {} : { cursor }),
  };
  const startedAt = Date.now();
  const { body, ...read } = await rpc.request(vmsRpc.list, asTenant(tenantId, null), query);
  const fillings = body.items.map((vm) => {
    const bytes = Buffer.from(JSON.stringify(vm));
    return filling('vm', vm, { bytes, version: vm.version, startedAt, ...rangeOf(read) });
  });
  return { vms: body.items, fillings, nextCursor: body.nextCursor };
}

/** A VM's latest metrics, as the answer to a question for them. */
export async function latestMetrics(rpc: RpcClient, vm: HotPage['vms'][number]): Promise<Filling> {
  const startedAt = Date.now();
  const meta = asTenant(vm.tenantId, null);
  const reply: BytesReply = await rpc.requestBytes(metricsRpc.latest, meta, { vmId: vm.id });
  const { body: bytes, ...read } = reply;
  return filling('metrics-latest', vm, { bytes, version: null, startedAt, ...rangeOf(read) });
}

interface Range {
  readonly holds: Position;
  readonly seen: Position;
}

function filling(
  type: ResourceType,
  { id, tenantId }: HotPage['vms'][number],
  answer: Pick<Entry, 'bytes' | 'version'> & Range & { readonly startedAt: number },
): Filling {
  const { holds, seen, bytes, version, startedAt: filledAt } = answer;
  const group = type === 'vm' ? null : groupOf(tenantId, metricsGroup(id));
  return {
    place: { history: `${holds.systemId}.${holds.timeline}`, key: keyOf(tenantId, type, id), group },
    entry: {
      bytes,
      version,
      position: holds.lsn,
      seen: seen.lsn,
      tenantId,
      status: 200,
      filledAt,
      ttlMs: RESOURCES[type].ttlMs,
    },
  };
}

/** What the answer holds and has seen. Without it nobody knows how new it is, and it must not be kept. */
function rangeOf({ holds, position }: { holds?: string | undefined; position: string | null }): Range {
  if (holds === undefined || position === null) {
    throw new Error('the owner does not say what its answer holds');
  }
  return { holds: parsePosition(holds), seen: parsePosition(position) };
}
