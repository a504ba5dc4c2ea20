import { TimestampInput } from '@novacron/contracts/common';
import { VmId } from '@novacron/contracts/ids';
import { VmListQuery } from '@novacron/contracts/vms';
import { z } from 'zod';

export const vmParams = z.object({ id: VmId });

/** As the orchestrator takes it, but any RFC 3339 time will do for `updatedSince`. */
export const listParameters = VmListQuery.extend({ updatedSince: TimestampInput.optional() });
