import { TimestampInput } from '@novacron/contracts/common';
import { VmId } from '@novacron/contracts/ids';
import { VmListQuery } from '@novacron/contracts/vms';
import { z } from 'zod';

export const vmParams = z.object({ id: VmId });

/** As the orchestrator takes it, but any RFC 3339 time will do for `updatedSince`. */
export const listParameters = VmListQuery.extend({
  name: VmListQuery.shape.name.describe('Exactly this name.'),
  updatedSince: TimestampInput.optional().describe(
    'VMs that changed since then, deleted ones (`state` is `deleted`, kept for 30 days) among them. To keep a copy, ask ' +
      'with `sort=-updatedAt` and take `updatedAt` of the first item of the first page as the next `updatedSince`. No ' +
      'change is missed, also one that was committed late; VMs that changed up to 20 s before are shown again.',
  ),
});
