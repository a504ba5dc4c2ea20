import type { TenantId, VmId } from '@novacron/contracts/ids';
import type { Capability, Capacity } from '@novacron/contracts/infrastructure';
import type { VmRow } from '../vms/row.js';
import { needsOf } from './needs.js';

/** A VM to place: `cpu` in virtual CPUs, `memory` in MiB, `disk` in GiB. */
export interface PlacementRequest extends Capacity {
  readonly vmId: VmId;
  readonly tenantId: TenantId;
  readonly zone: string;
  readonly image: string;
  readonly needs: readonly Capability[];
}

/** The columns of a VM that decide its host. */
export type PlacedColumns = Pick<
  VmRow,
  'id' | 'tenant_id' | 'zone' | 'image' | 'cpu' | 'memory' | 'disk' | 'user_data' | 'ssh_keys'
>;

/** The requirements of a VM. */
export function placementRequest(vm: PlacedColumns): PlacementRequest {
  return {
    vmId: vm.id,
    tenantId: vm.tenant_id,
    zone: vm.zone,
    image: vm.image,
    cpu: vm.cpu,
    memory: vm.memory,
    disk: vm.disk,
    needs: needsOf(vm),
  };
}
