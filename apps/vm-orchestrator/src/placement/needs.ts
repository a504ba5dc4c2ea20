import type { Capability } from '@novacron/contracts/infrastructure';

/** The capabilities that a host's driver must have, so that no part of the user's request is ignored. */
export function needsOf(vm: {
  readonly user_data: string | null;
  readonly ssh_keys: readonly string[];
}): Capability[] {
  return vm.user_data !== null || vm.ssh_keys.length > 0 ? ['user-data'] : [];
}
