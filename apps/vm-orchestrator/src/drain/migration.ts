import type { JobRow } from '../jobs/row.js';
import { coldMigrate } from '../operations/cold-migrate.js';
import type { VmPatch } from '../vms/change.js';
import { newJob } from '../jobs/new-job.js';
import type { VmRow } from '../vms/row.js';

interface MigrationOptions {
  /** Seconds that the guest gets to power off. */
  readonly graceSeconds: number;
  /** Whether the VM loses nothing when its disk is made anew on another host. */
  readonly rebuildable: boolean;
}

/** The writes that begin a cold migration. Pure. @param vm running, paused or stopped, without a task */
export function migration(vm: VmRow, options: MigrationOptions, now: Date): { patch: VmPatch; job: JobRow } {
  const intended = { ...vm, state: 'migrating' as const, fence: vm.fence + 1 };
  const from = vm.host_id === null ? {} : { from: vm.host_id };
  const args = { ...options, before: vm.state, ...from };
  const { vm: next, job } = newJob(intended, coldMigrate, args, null, now);
  return { job, patch: { state: next.state, fence: next.fence, task: next.task } };
}
