import { createVm } from '@novacron/contracts/operations/vms';
import { vmsRpc } from '@novacron/contracts/vms';
import { preferredWait } from '../http/prefer.js';
import { implement } from '../http/route.js';
import { waitForVm } from './vm-waits.js';

export const createVmRoute = implement(createVm, async (call, services) => {
  const created = (await call.ask(vmsRpc.create, call.body)).body;
  const seconds = preferredWait(call.headers.prefer);
  // The VM exists now: a wait that may not begin is left out, as RFC 7240 §2 allows.
  const slot = seconds === 0 ? null : services.waits.tryTake(call.caller);
  const own = slot && { slot, known: created };
  const vm =
    own === null
      ? created
      : (await waitForVm(call, services, created.id, 'settled', seconds * 1_000, own)).current;
  return {
    status: 201,
    body: vm,
    version: vm.version,
    headers: {
      Location: `/api/v1/vms/${vm.id}`,
      ...(own === null ? {} : { 'Preference-Applied': `wait=${seconds}` }),
    },
  };
});
