import { Injectable } from '@nestjs/common';
import { vmsRpc, type CreateVm } from '@novacron/contracts/vms';
import type { Answer } from '../http/answer.js';
import { preferredWait } from '../http/prefer.js';
import type { Requester } from '../reads/requester.js';
import { WaitSlots } from '../waits/wait-slots.js';
import { VmWaits } from './vm-waits.js';

/** Creates VMs: at once, or with `Prefer: wait` when the VM has settled. */
@Injectable()
export class VmCreator {
  constructor(
    private readonly waits: VmWaits,
    private readonly slots: WaitSlots,
  ) {}

  async create(requester: Requester, body: CreateVm): Promise<Answer> {
    const created = (await requester.request(vmsRpc.create, body)).body;
    const seconds = preferredWait(requester.headers.prefer);
    // The VM exists now. A wait without a free slot is skipped, as RFC 7240 §2 allows.
    const slot = seconds === 0 ? null : this.slots.tryTake(requester.caller);
    const vm =
      slot === null
        ? created
        : (
            await this.waits.until(requester, created.id, 'settled', seconds * 1_000, {
              slot,
              known: created,
            })
          ).current;
    return {
      status: 201,
      body: vm,
      version: vm.version,
      headers: {
        Location: `/api/v1/vms/${vm.id}`,
        ...(slot === null ? {} : { 'Preference-Applied': `wait=${seconds}` }),
      },
    };
  }
}
