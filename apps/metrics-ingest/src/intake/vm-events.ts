import { DomainEvent } from '@novacron/contracts/events';
import { parsePosition } from '@novacron/contracts/position';
import { Vm } from '@novacron/contracts/vms';
import type { Database, Statement } from '@novacron/postgres/database';
import { isPartOf, type History } from '@novacron/postgres/history';
import type { Logger } from '@novacron/telemetry/logger';

const UPSERT: Statement = {
  name: 'metrics_vms_upsert',
  text: `INSERT INTO metrics.vms AS v (tenant_id, vm_id, host_id, version, deleted_at)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int[], $5::bigint[])
         ON CONFLICT (tenant_id, vm_id) DO UPDATE
         SET version = excluded.version, deleted_at = excluded.deleted_at,
             host_id = CASE WHEN excluded.deleted_at IS NULL THEN excluded.host_id ELSE coalesce(excluded.host_id, v.host_id) END
         WHERE v.version < excluded.version`,
};

/** What the directory keeps of a VM. */
const Placed = Vm.pick({
  id: true,
  tenantId: true,
  hostId: true,
  state: true,
  version: true,
  updatedAt: true,
});

type PlacedVm = ReturnType<typeof Placed.parse>;

/**
 * Keeps the directory by the orchestrator's VM events. Repeating or reordering them changes nothing: the
 * higher version stays. An event that is none of ours to understand is logged and passed over, and one of a history
 * that was lost too: its version would keep those out that come.
 */
export function followVms(
  db: Database,
  logger: Logger,
): (batch: readonly { readonly data: Uint8Array }[]) => Promise<void> {
  return async (batch) => {
    if (db.history === undefined) await db.ping();
    const newest = new Map<string, PlacedVm>();
    for (const { data } of batch) {
      const vm = parse(data, db.history, logger);
      if (vm) newest.set(vm.id, merged(newest.get(vm.id), vm));
    }
    const vms = [...newest.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    if (vms.length === 0) return;
    const params = [
      vms.map((vm) => vm.tenantId),
      vms.map((vm) => vm.id),
      vms.map((vm) => vm.hostId),
      vms.map((vm) => vm.version),
      vms.map((vm) => (vm.state === 'deleted' ? Date.parse(vm.updatedAt) : null)),
    ];
    await db.primary.batch({}, [{ statement: UPSERT, params }]);
  };
}

/** The newer of two states of a VM; a deleted one stays where it was last, for points that come late. */
function merged(before: PlacedVm | undefined, vm: PlacedVm): PlacedVm {
  if (!before) return vm;
  const [older, newer] = before.version < vm.version ? [before, vm] : [vm, before];
  return newer.state === 'deleted' ? { ...newer, hostId: newer.hostId ?? older.hostId } : newer;
}

function parse(data: Uint8Array, history: History | undefined, logger: Logger): PlacedVm | undefined {
  try {
    const event = DomainEvent.parse(JSON.parse(new TextDecoder().decode(data)));
    const lost = history !== undefined && !isPartOf(parsePosition(event.position), history);
    return event.kind === 'vm' && !lost ? Placed.parse(event.data) : undefined;
  } catch (error) {
    logger.error({ err: error }, 'a VM event that does not fit the contract');
    return undefined;
  }
}
