import { ServiceError } from '@novacron/contracts/errors';
import { waitForVm } from '@novacron/contracts/operations/vms';
import { implement } from '../http/route.js';
import { waitForVm as waitUntil } from './vm-waits.js';

export const waitForVmRoute = implement(waitForVm, async (call, services) => {
  const { state, timeout } = call.query;
  const slot = services.waits.take(call.caller);
  const { outcome, current } = await waitUntil(call, services, call.params.id, state, timeout, {
    slot,
  });
  switch (outcome) {
    case 'reached':
      return { status: 200, body: current, version: current.version };
    case 'gone':
      // The tombstone was purged while we waited.
      if (state === 'deleted' || state === 'settled')
        return { status: 200, body: { ...current, state: 'deleted' } };
      throw new ServiceError('unreachable_state', 'The VM was deleted.');
    case 'unreachable':
      throw new ServiceError(
        'unreachable_state',
        `The VM is ${current.state}, and nothing leads to ${state}.`,
      );
    case 'timeout':
      throw new ServiceError('wait_timeout', `The VM is ${current.state}, not yet ${state}.`);
  }
});
