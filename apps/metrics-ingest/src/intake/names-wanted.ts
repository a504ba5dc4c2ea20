import { builtInId, type MetricNames } from '../store/metric-names.js';
import { GATEWAY } from './admit.js';
import type { VmEntry } from '../vms/directory.js';
import type { Incoming } from './incoming.js';

/** New names of one write, bounded so that one tenant's new names do not delay other tenants' points. */
const NEW_NAMES_PER_WRITE = 2_000;

type Name = readonly [tenantId: string, name: string];

/** Messages that are written together, and the new names that their points need. */
export interface Part {
  readonly incoming: readonly Incoming[];
  readonly names: readonly Name[];
}

/**
 * Splits the messages of a write, in order, into parts with few new names each. A part is computed after the one before
 * it is written, so names that are known by then no longer count.
 * @param limit new names of a part; a message with more new names is a part of its own
 */
export function* partsByNames(
  incoming: readonly Incoming[],
  vms: ReadonlyMap<string, VmEntry>,
  names: MetricNames,
  limit = NEW_NAMES_PER_WRITE,
): Generator<Part> {
  let part: Incoming[] = [];
  let wanted: Name[] = [];
  for (const one of incoming) {
    let more = newNames(one, vms, names);
    if (part.length > 0 && wanted.length + more.length > limit) {
      yield { incoming: part, names: wanted };
      part = [];
      wanted = [];
      more = newNames(one, vms, names);
    }
    part.push(one);
    wanted.push(...more);
  }
  if (part.length > 0) yield { incoming: part, names: wanted };
}

/** The new names of the points that may be stored, each with the tenant of its VM. */
function newNames(
  { message, batch }: Incoming,
  vms: ReadonlyMap<string, VmEntry>,
  names: MetricNames,
): Name[] {
  if (!batch || batch.metrics.every((name) => builtInId(name) !== undefined)) return [];
  const owners = batch.vmIds.map((vmId) => {
    const vm = vms.get(vmId);
    if (!vm) return undefined;
    const allowed =
      message.source === GATEWAY
        ? !batch.tenantId || batch.tenantId === vm.tenantId
        : vm.hostId === message.source;
    return allowed ? vm.tenantId : undefined;
  });
  const found = new Map<string, Name>();
  const seen = new Set<number>();
  for (let i = 0; i < batch.vm.length; i++) {
    const key = (batch.vm[i] as number) * 1_000 + (batch.metric[i] as number);
    if (seen.has(key)) continue;
    seen.add(key);
    const tenantId = owners[batch.vm[i] as number];
    const name = batch.metrics[batch.metric[i] as number];
    if (tenantId === undefined || name === undefined || !names.isNew(tenantId, name)) continue;
    found.set(`${tenantId}/${name}`, [tenantId, name]);
  }
  return [...found.values()];
}
