import { Injectable } from '@nestjs/common';
import { ServiceError } from '@novacron/contracts/errors';
import { GUEST_READY, Vm, vmsRpc } from '@novacron/contracts/vms';
import { isTransient, type VmState } from '@novacron/vm-lifecycle/states';
import type { Answer } from '../http/answer.js';
import type { Requester } from '../reads/requester.js';
import { WaitSlots } from '../waits/wait-slots.js';
import { Waits, type Verdict, type Waited, type Waiting } from '../waits/waits.js';

/** A state; `settled`: no work in flight; `ready`: running, and the guest has reported that it is up. */
export type WaitTarget = VmState | 'settled' | 'ready';

/** Waits until a VM is in a state. */
@Injectable()
export class VmWaits {
  constructor(
    private readonly waits: Waits,
    private readonly slots: WaitSlots,
  ) {}

  /** See `Waits.until`. */
  until(
    requester: Requester,
    id: Vm['id'],
    target: WaitTarget,
    timeoutMs: number,
    own: Pick<Waiting<Vm>, 'slot' | 'known'>,
  ): Promise<Waited<Vm>> {
    return this.waits.until<Vm>(requester, {
      kind: 'vm',
      id,
      timeoutMs,
      ...own,
      read: async (deadlineMs) =>
        (await requester.request(vmsRpc.get, { id, tombstone: true }, deadlineMs)).body,
      decode: (data) => Vm.safeParse(data).data ?? null,
      judge: judgeFor(target),
    });
  }

  /** @throws ServiceError `wait_timeout`, `unreachable_state`, `too_many_waits`, or of the first read */
  async answer(requester: Requester, id: Vm['id'], target: WaitTarget, timeoutMs: number): Promise<Answer> {
    const slot = this.slots.take(requester.caller);
    const { outcome, current } = await this.until(requester, id, target, timeoutMs, { slot });
    switch (outcome) {
      case 'reached':
        return { status: 200, body: current, version: current.version };
      case 'gone':
        // The tombstone was purged during the wait.
        if (target === 'deleted' || target === 'settled')
          return { status: 200, body: { ...current, state: 'deleted' } };
        throw new ServiceError('unreachable_state', 'The VM was deleted.');
      case 'unreachable':
        throw new ServiceError(
          'unreachable_state',
          `The VM is ${current.state}, and nothing leads to ${target}.`,
        );
      case 'timeout':
        throw new ServiceError('wait_timeout', `The VM is ${current.state}, not yet ${target}.`);
    }
  }
}

/**
 * Whether the VM has reached the target, or can no longer reach it. The target is unreachable when the VM is being
 * deleted or in error, and when the work that this wait observed, or the start before it, ended elsewhere. Any caller
 * may still change a VM at rest: then the wait goes on.
 */
export function judgeFor(target: WaitTarget): (vm: Vm) => Verdict {
  let observedWork = false;
  return (vm) => {
    const settled = isSettled(vm);
    if (isReached(vm, target)) return 'reached';
    if (vm.state === 'deleted') return target === 'settled' ? 'reached' : 'unreachable';
    if (vm.state === 'deleting')
      return target === 'deleted' || target === 'settled' ? 'not_yet' : 'unreachable';
    if (!settled) {
      observedWork = true;
      return 'not_yet';
    }
    // A running guest may need time until it is up.
    if (target === 'ready' && vm.state === 'running') return 'not_yet';
    const startFailed = vm.stopReason === 'start_failed' && (target === 'running' || target === 'ready');
    return observedWork || startFailed || vm.state === 'error' ? 'unreachable' : 'not_yet';
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
