import { keyOf, groupOf } from '@novacron/cache/change';
import type { Entry } from '@novacron/cache/entry';
import type { L2Place } from '@novacron/cache/l2';
import { HOT_HOUR, lastHourId, lastHourQuery } from '@novacron/cache/last-hour';
import { RESOURCES, type ResourceType } from '@novacron/cache/resources';
import { metricsGroup } from '@novacron/cache/rules';
import type { BytesReply } from '@novacron/contracts/envelope';
import { LATEST_LIMIT, metricsRpc } from '@novacron/contracts/metrics';
import { type Position, parsePosition } from '@novacron/contracts/position';
import { type Vm, type VmListQuery, vmsRpc } from '@novacron/contracts/vms';
import type { RpcClient } from '@novacron/messaging/rpc-client';
import { asTenant } from '../messages/request-meta.js';

/** An entry for the shared cache, and its place. */
export interface Fill {
  readonly place: L2Place;
  readonly entry: Entry;
}

export interface HotPage {
  readonly vms: readonly Pick<Vm, 'id' | 'tenantId'>[];
  readonly fills: readonly Fill[];
  readonly nextCursor: string | null;
}

const PAGE = 500;

/** One page of a tenant's running VMs, the newest first, each as the answer to a request for the VM. */
export async function runningVms(
  rpc: RpcClient,
  tenantId: string,
  { limit, cursor }: { readonly limit: number; readonly cursor: string | null },
): Promise<HotPage> {
  const query: VmListQuery = {
    state: ['running'],
    sort: '-createdAt',
    limit: Math.min(PAGE, limit),
    ...(cursor === null ? {} : { cursor }),
  };
  const startedAt = Date.now();
  const { body, ...read } = await rpc.request(vmsRpc.list, asTenant(tenantId, null), query);
  const fills = body.items.map((vm) => {
    const bytes = Buffer.from(JSON.stringify(vm));
    return fillOf('vm', vm, { bytes, version: vm.version, startedAt, ...rangeOf(read) });
  });
  return { vms: body.items, fills, nextCursor: body.nextCursor };
}

/** A VM's latest metrics and their last hour, as the answers to requests for them. */
export async function hotMetrics(rpc: RpcClient, vm: HotPage['vms'][number]): Promise<Fill[]> {
  const meta = asTenant(vm.tenantId, null);
  const startedAt = Date.now();
  const [latest, hour] = await Promise.all([
    rpc.requestRaw(metricsRpc.latest, meta, { vmId: vm.id, limit: LATEST_LIMIT }),
    rpc.requestRaw(metricsRpc.range, meta, lastHourQuery(vm.id, HOT_HOUR, startedAt)),
  ]);
  const kept = ({ body: bytes, ...read }: BytesReply) => ({
    bytes,
    version: null,
    startedAt,
    ...rangeOf(read),
  });
  return [
    fillOf('metrics-latest', vm, kept(latest)),
    fillOf('metrics-hour', vm, kept(hour), lastHourId(vm.id, HOT_HOUR)),
  ];
}

interface Range {
  readonly holds: Position;
  readonly seen: Position;
}

function fillOf(
  type: ResourceType,
  { id, tenantId }: HotPage['vms'][number],
  answer: Pick<Entry, 'bytes' | 'version'> & Range & { readonly startedAt: number },
  key: string = id,
): Fill {
  const { holds, seen, bytes, version, startedAt: filledAt } = answer;
  const group = type === 'vm' ? null : groupOf(tenantId, metricsGroup(id));
  return {
    place: { lineage: `${holds.systemId}.${holds.timeline}`, key: keyOf(tenantId, type, key), group },
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

/** The lower and the upper bound of the answer's position. An answer without them must not be kept. */
function rangeOf({ holds, position }: { holds?: string | undefined; position: string | null }): Range {
  if (holds === undefined || position === null) {
    throw new Error('the owner did not send the position of its answer');
  }
  return { holds: parsePosition(holds), seen: parsePosition(position) };
}
