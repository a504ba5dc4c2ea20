import { ServiceError } from '@novacron/contracts/errors';
import { Vm, VmStateName } from '@novacron/contracts/vms';
import { z } from 'zod';
import { defineRoute } from '../edge/route.js';
import { timeoutParameter } from '../waits/parameters.js';
import { vmParams } from './parameters.js';
import { waitForVm } from './vm-wait.js';

const waitQuery = z.strictObject({
  state: z
    .enum([...VmStateName.options, 'settled', 'ready'])
    .describe(
      'A state; `settled`: no work in flight; `ready`: running, and the guest has reported that it is up (condition `GuestReady`).',
    ),
  timeout: timeoutParameter,
});

export const waitForVmRoute = defineRoute({
  id: 'waitForVm',
  method: 'GET',
  path: '/api/v1/vms/{id}/wait',
  tag: 'VMs',
  summary: 'Wait until a VM is in a state',
  access: 'read',
  params: vmParams,
  query: waitQuery,
  longLived: true,
  answers: { 200: { description: 'Reached: the VM.', schema: Vm, headers: ['ETag'] } },
  errors: ['not_found', 'wait_timeout', 'unreachable_state', 'too_many_waits'],
  async handle(call, services) {
    const { state, timeout } = call.query;
    const slot = services.waits.take(call.caller);
    const { outcome, current } = await waitForVm(call, services, call.params.id, state, timeout, {
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
  },
});
