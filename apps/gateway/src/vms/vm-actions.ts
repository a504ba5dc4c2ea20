import { Injectable } from '@nestjs/common';
import { ServiceError } from '@novacron/contracts/errors';
import type { VmId } from '@novacron/contracts/ids';
import type { Job } from '@novacron/contracts/jobs';
import type { InputOf } from '@novacron/contracts/operation';
import { OFFERED_VERBS, type actOnVm } from '@novacron/contracts/operations/vms';
import { vmsRpc } from '@novacron/contracts/vms';
import { VM_ACTIONS, type VmAction } from '@novacron/vm-lifecycle/actions';
import type { Answer } from '../http/answer.js';
import { expectedVersion } from '../http/etag.js';
import { preferredWait } from '../http/prefer.js';
import { JobWaits } from '../jobs/job-waits.js';
import type { Requester } from '../reads/requester.js';
import { WaitSlots } from '../waits/wait-slots.js';

type Verb = Exclude<VmAction, 'delete'>;
const VERBS = VM_ACTIONS.filter((action): action is Verb => action !== 'delete');

/** Actions on VMs: each answers with the VM, or with the job that changes it. */
@Injectable()
export class VmActions {
  constructor(
    private readonly jobs: JobWaits,
    private readonly slots: WaitSlots,
  ) {}

  async act(
    requester: Requester,
    { id, verb }: InputOf<typeof actOnVm>['params'],
    options: InputOf<typeof actOnVm>['body'],
  ): Promise<Answer> {
    if (!isVerb(verb))
      throw new ServiceError('not_found', `There is no action ${verb}: ${OFFERED_VERBS.join(', ')}.`);
    const request = { id, action: verb, options, ...expected(requester) };
    const { vm, job } = (await requester.request(vmsRpc.act, request)).body;
    if (job === null) return { status: 200, body: vm, version: vm.version };
    const seconds = preferredWait(requester.headers.prefer);
    const slot = seconds === 0 ? null : this.slots.tryTake(requester.caller);
    if (slot === null) return accepted(job);
    const applied = { 'Preference-Applied': `wait=${seconds}` };
    const { current } = await this.jobs.until(requester, job.id, seconds * 1_000, { slot, known: job });
    if (current.status !== 'succeeded') return accepted(current, applied);
    // The action took effect, so a VM that was deleted meanwhile is shown as a tombstone.
    const after = (await requester.request(vmsRpc.get, { id, tombstone: true })).body;
    return { status: 200, body: after, version: after.version, headers: applied };
  }

  async delete(requester: Requester, id: VmId): Promise<Answer> {
    const request = { id, action: 'delete', options: { graceSeconds: 30 }, ...expected(requester) } as const;
    const { job } = (await requester.request(vmsRpc.act, request)).body;
    return job === null ? { status: 204 } : accepted(job);
  }
}

function isVerb(verb: string): verb is Verb {
  return (VERBS as readonly string[]).includes(verb);
}

/** The versions that If-Match names. */
function expected({ headers }: Requester) {
  const ifMatch = expectedVersion(headers['if-match']);
  return ifMatch === undefined ? {} : { ifMatch };
}

function accepted(job: Job, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status: 202, body: job, headers: { Location: `/api/v1/jobs/${job.id}`, ...headers } };
}
