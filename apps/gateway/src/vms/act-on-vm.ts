import { VM_ACTIONS, type VmAction } from '@novacron/vm-lifecycle/actions';
import { ServiceError } from '@novacron/contracts/errors';
import { actOnVm, OFFERED_VERBS } from '@novacron/contracts/operations/vms';
import { vmsRpc } from '@novacron/contracts/vms';
import { expectedVersion } from '../http/etag.js';
import { preferredWait } from '../http/prefer.js';
import { implement } from '../http/route.js';
import { waitForJob } from '../jobs/job-waits.js';

type Verb = Exclude<VmAction, 'delete'>;
const VERBS = VM_ACTIONS.filter((action): action is Verb => action !== 'delete');

export const actOnVmRoute = implement(actOnVm, async (call, services) => {
  const { id, verb } = call.params;
  if (!isVerb(verb))
    throw new ServiceError('not_found', `There is no action ${verb}: ${OFFERED_VERBS.join(', ')}.`);
  const ifMatch = expectedVersion(call.headers['if-match']);
  const expected = ifMatch === undefined ? {} : { ifMatch };
  const { vm, job } = (await call.ask(vmsRpc.act, { id, action: verb, options: call.body, ...expected }))
    .body;
  if (job === null) return { status: 200, body: vm, version: vm.version };

  const accepted = { status: 202, headers: { Location: `/api/v1/jobs/${job.id}` } };
  const seconds = preferredWait(call.headers.prefer);
  const slot = seconds === 0 ? null : services.waits.tryTake(call.caller);
  if (slot === null) return { ...accepted, body: job };
  const applied = { 'Preference-Applied': `wait=${seconds}` };
  const own = { slot, known: job };
  const { current } = await waitForJob(call, services, job.id, seconds * 1_000, own);
  if (current.status !== 'succeeded')
    return { status: 202, body: current, headers: { ...accepted.headers, ...applied } };
  // A VM that was deleted since is shown as that: the action had its effect all the same.
  const after = (await call.ask(vmsRpc.get, { id, tombstone: true })).body;
  return { status: 200, body: after, version: after.version, headers: applied };
});

function isVerb(verb: string): verb is Verb {
  return (VERBS as readonly string[]).includes(verb);
}
