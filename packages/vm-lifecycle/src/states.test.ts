import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { allowedActions, gate, VM_ACTIONS, type GateView } from './actions.js';
import { canTransition, deadlineMs, isTransient, STATES, VM_STATES, wayOut, type VmState } from './states.js';

const anyState = fc.constantFrom(...VM_STATES);
const live = VM_STATES.filter((state) => state !== 'deleted');

/** A VM as the orchestrator may store it: each transient state has a task, and a stable state may have one (pause). */
const anyVm: fc.Arbitrary<GateView> = fc
  .record({
    state: anyState,
    task: fc.constantFrom('create' as const, null, ...VM_ACTIONS),
    placed: fc.boolean(),
  })
  .filter((vm) => !isTransient(vm.state) || vm.task !== null)
  .filter((vm) => vm.state !== 'deleted' || vm.task === null);

/** Whether the table's transitions lead from `from` to `target`. */
function reaches(from: VmState, target: VmState, seen = new Set<VmState>()): boolean {
  if (from === target) return true;
  if (seen.has(from)) return false;
  seen.add(from);
  return (STATES[from].to as readonly VmState[]).some((next) => reaches(next, target, seen));
}

describe('the states table', () => {
  it('gives each transient state a positive deadline and a way out that it allows', () => {
    for (const state of VM_STATES.filter(isTransient)) {
      expect(deadlineMs(state)).toBeGreaterThan(0);
      expect(canTransition(state, wayOut(state))).toBe(true);
      expect(isTransient(wayOut(state))).toBe(false);
    }
  });

  it('leads from each state to deleted, and never back', () => {
    for (const state of live) expect(reaches(state, 'deleted')).toBe(true);
    expect(STATES.deleted.to).toEqual([]);
    expect(STATES.deleting.to).toEqual(['deleted']);
  });

  it('leads from pending to each state', () => {
    for (const state of VM_STATES) expect(reaches('pending', state)).toBe(true);
  });
});

describe('the gates', () => {
  it('set only states that the table allows', () => {
    const tasks = [null, 'create' as const, ...VM_ACTIONS];
    const vms = VM_STATES.flatMap((state) =>
      tasks.flatMap((task) => [true, false].map((placed) => ({ state, task, placed }))),
    );
    for (const vm of vms.filter((one) => !isTransient(one.state) || one.task !== null)) {
      for (const action of VM_ACTIONS) {
        const decision = gate(action, vm);
        if (decision.outcome !== 'accept' || decision.via === null || decision.via === vm.state) continue;
        const way = [action, vm.state, decision.via];
        expect([...way, canTransition(vm.state, decision.via)]).toEqual([...way, true]);
      }
    }
  });

  it('accept a delete in each state, or answer that it is already true or in flight', () => {
    fc.assert(
      fc.property(anyVm, (vm) => ['accept', 'already', 'in_flight'].includes(gate('delete', vm).outcome)),
    );
  });

  it('never refuse a force-stop unless the VM is deleted', () => {
    fc.assert(
      fc.property(anyVm, (vm) => {
        fc.pre(vm.state !== 'deleted');
        return !['busy', 'invalid_state'].includes(gate('force-stop', vm).outcome);
      }),
    );
  });

  it('answer a force-stop as already true when the VM is stopped, even under a live job', () => {
    expect(gate('force-stop', { state: 'stopped', task: 'pause', placed: true }).outcome).toBe('already');
  });

  it('accept only delete and force-stop when other work is in flight', () => {
    fc.assert(
      fc.property(anyVm, fc.constantFrom(...VM_ACTIONS), (vm, action) => {
        fc.pre(vm.task !== null && action !== 'delete' && action !== 'force-stop');
        return gate(action, vm).outcome !== 'accept';
      }),
    );
  });

  it('answer a repeated action with the live job', () => {
    for (const action of VM_ACTIONS) {
      expect(gate(action, { state: 'running', task: action, placed: true }).outcome).toBe('in_flight');
    }
  });

  it('list exactly the actions that they would accept', () => {
    fc.assert(
      fc.property(anyVm, (vm) => {
        for (const action of VM_ACTIONS) {
          const accepted = ['accept', 'without_autostart'].includes(gate(action, vm).outcome);
          expect(allowedActions(vm).includes(action)).toBe(accepted);
        }
      }),
    );
  });
});
