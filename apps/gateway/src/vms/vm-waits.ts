import { isTransient, type VmState } from '@novacron/vm-lifecycle/states';
import { GUEST_READY, Vm, vmsRpc } from '@novacron/contracts/vms';
import type { Call } from '../reads/requester.js';
import type { Services } from '../http/services.js';
import { waitFor, type Verdict, type Waited, type Waiting } from '../waits/waits.js';

/** A state; `settled`: no work in flight; `ready`: running, and the guest has reported that it is up. */
export type WaitTarget = VmState | 'settled' | 'ready';

/** Waits until a VM is in a state. See `waitFor`. */
export function waitForVm(
  call: Call,
  services: Services,
  id: Vm['id'],
  target: WaitTarget,
  timeoutMs: number,
  own: Pick<Waiting<Vm>, 'slot' | 'known'>,
): Promise<Waited<Vm>> {
  return waitFor<Vm>(call, services, {
    kind: 'vm',
    id,
    timeoutMs,
    ...own,
    read: async (deadlineMs) => (await call.ask(vmsRpc.get, { id, tombstone: true }, deadlineMs)).body,
    decode: (data) => Vm.safeParse(data).data ?? null,
    judge: judgeFor(target),
  });
}

/**
 * Whether the VM is where the wait wants it, or can no longer get there. Nothing leads there any more when it
 * is being deleted, when it is in error, and when the work that this wait saw in flight, or the start before
 * it, has ended elsewhere. A VM at rest that nothing was asked of may still be changed by anybody: not yet.
 */
export function judgeFor(target: WaitTarget): (vm: Vm) => Verdict {
  let sawWork = false;
  return (vm) => {
    const settled = isSettled(vm);
    if (isReached(vm, target)) return 'reached';
    if (vm.state === 'deleted') return target === 'settled' ? 'reached' : 'unreachable';
    if (vm.state === 'deleting')
      return target === 'deleted' || target === 'settled' ? 'not_yet' : 'unreachable';
    if (!settled) {
      sawWork = true;
      return 'not_yet';
    }
    // A guest that runs may take its time until it is up.
    if (target === 'ready' && vm.state === 'running') return 'not_yet';
    const startFailed = vm.stopReason === 'start_failed' && (target === 'running' || target === 'ready');
    return sawWork || startFailed || vm.state === 'error' ? 'unreachable' : 'not_yet';
  };
}

function isReached(vm: Vm, target: WaitTarget): boolean {
  switch (target) {
    case 'settled':
      return isSettled(vm);
    case 'ready':
      return vm.state === 'running' && isUp(vm);
    default:
      return vm.state === target;
  }
}

function isUp({ conditions }: Vm): boolean {
  return conditions.some(({ type, status }) => type === GUEST_READY && status === 'true');
}

function isSettled(vm: Vm): boolean {
  return vm.task === null && !isTransient(vm.state);
}
