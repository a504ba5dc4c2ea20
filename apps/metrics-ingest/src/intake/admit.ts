import type { SeriesBuffer, Series } from '../store/series-buffer.js';
import type { VmEntry } from '../vms/directory.js';
import type { Incoming } from './incoming.js';
import type { Rejections, RejectReason, Subject } from './rejections.js';

/** The source of points that users push. The gateway has checked their permissions. */
export const GATEWAY = 'gateway';

/** The state that the admission of points depends on. */
export interface Admission {
  readonly vms: ReadonlyMap<string, VmEntry>;
  /** The number of a tenant's metric; undefined when the tenant has too many names. */
  metricId(tenantId: string, name: string): number | undefined;
  /** Points outside these times are dropped: older ones have no partition, later ones come from a wrong clock. */
  readonly oldest: number;
  readonly newest: number;
}

/** Adds a message's valid points to the buffer and counts the others as rejected. */
export function admit(
  incoming: Incoming,
  known: Admission,
  into: SeriesBuffer,
  rejections: Rejections,
): void {
  const { message, batch } = incoming;
  if (!batch) return rejections.add('malformed');
  const owners = batch.vmIds.map((vmId) => judgeVm(incoming, known.vms.get(vmId)));
  const targets = new Map<number, Series | RejectReason>();
  for (let i = 0; i < batch.time.length; i++) {
    const vm = batch.vm[i] as number;
    const metric = batch.metric[i] as number;
    const owner = owners[vm];
    const name = batch.metrics[metric];
    if (owner === undefined || name === undefined) {
      rejections.add('bad_index');
      continue;
    }
    const subject = () => subjectOf(incoming, known, batch.vmIds[vm] as string, name);
    if (typeof owner === 'string') {
      rejections.add(owner, 1, subject());
      continue;
    }
    const time = batch.time[i] as number;
    const untimely = judgeTime(time, owner, known);
    if (untimely) {
      rejections.add(untimely, 1, subject());
      continue;
    }
    const key = vm * 1_000 + metric;
    let target = targets.get(key);
    if (target === undefined) {
      const metricId = known.metricId(owner.tenantId, name);
      target = metricId === undefined ? 'too_many_names' : into.series(owner.tenantId, owner.vmId, metricId);
      targets.set(key, target);
    }
    if (typeof target === 'string') rejections.add(target, 1, subject());
    else into.add(target, time, batch.value[i] as number, message.streamGeneration, message.seq);
  }
}

/** The tenant that pushed the point. For a point that a host measured, the VM's tenant. */
function subjectOf(
  { batch }: Incoming,
  { vms }: Admission,
  vmId: string,
  metric: string,
): Subject | undefined {
  const tenantId = batch?.tenantId ?? vms.get(vmId)?.tenantId;
  return tenantId === undefined ? undefined : { tenantId, vmId, metric };
}

/** Whether the source may write this VM's metrics. */
function judgeVm({ message, batch }: Incoming, vm: VmEntry | undefined): VmEntry | RejectReason {
  if (!vm) return 'unknown_vm';
  if (vm.partition !== message.partition) return 'wrong_partition';
  if (message.source === GATEWAY)
    return batch?.tenantId && batch.tenantId !== vm.tenantId ? 'foreign_vm' : vm;
  return vm.hostId === message.source ? vm : 'not_on_host';
}

function judgeTime(time: number, vm: VmEntry, { oldest, newest }: Admission): RejectReason | undefined {
  if (time < oldest) return 'too_old';
  if (time > newest) return 'in_future';
  return vm.deletedAt !== null && time > vm.deletedAt ? 'vm_deleted' : undefined;
}
