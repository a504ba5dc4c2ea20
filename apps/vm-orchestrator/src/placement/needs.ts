import type { Capability } from '@novacron/contracts/infrastructure';

/** What a host's driver must be able to do, so that nothing of what the user asked for is ignored. */
export function needsOf(vm: {
  readonly user_data: string | null;
  readonly ssh_keys: readonly string[];
}): Capability[] {
  return vm.user_data !== null || vm.ssh_keys.length > 0 ? ['user-data'] : [];
}
