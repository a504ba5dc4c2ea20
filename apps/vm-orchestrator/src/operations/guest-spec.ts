import type { GuestSpec } from '@novacron/contracts/agents';
import type { VmRow } from '../vms/row.js';

export function guestSpec(vm: VmRow): GuestSpec {
  return {
    vmId: vm.id,
    name: vm.name,
    config: { cpu: vm.cpu, memory: vm.memory, disk: vm.disk, image: vm.image },
    userData: vm.user_data,
    sshKeys: vm.ssh_keys,
  };
}
