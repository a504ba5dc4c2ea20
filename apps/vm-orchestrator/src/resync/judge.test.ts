import { describe, expect, it } from '@jest/globals';
import { GUEST_FAULTS, type GuestFault, type PowerState } from '@novacron/contracts/agents';
import { newId, type JobId, type VmId } from '@novacron/contracts/ids';
import { canTransition, isTransient, VM_STATES, type VmState } from '@novacron/vm-lifecycle/states';
import fc from 'fast-check';
import { HOST_UNREACHABLE } from '../hosts/row.js';
import type { TaskColumn } from '../vms/row.js';
import { isNewer, judge, type Judged, type Verdict } from './judge.js';

const NOW = new Date('2026-11-23T12:00:00.000Z');
const TASK: TaskColumn = {
  jobId: newId<JobId>(),
  kind: 'stop',
  step: 'shutdown',
  stepIndex: 0,
  stepCount: 2,
  deadline: NOW.toISOString(),
};
const UNREACHABLE = {
  type: HOST_UNREACHABLE,
  status: 'true' as const,
  reason: 'HostDown',
  message: 'h is down',
  lastTransitionAt: NOW.toISOString(),
};

function vm(over: Partial<Judged> = {}): Judged {
  return {
    id: newId<VmId>(),
    state: 'running',
    task: null,
    conditions: [],
    stop_reason: null,
    last_error: null,
    incarnation: 1,
    fact_epoch: 1,
    fact_seq: 10,
    ...over,
  };
}

const fact = (of: Judged, power: PowerState, over: { incarnation?: number; reason?: string } = {}) => ({
  vmId: of.id,
  power,
  incarnation: over.incarnation ?? of.incarnation,
  reason: over.reason ?? null,
});
/** The VM after the verdict. */
function patched(before: Judged, verdict: Verdict): Judged {
  if (verdict.outcome !== 'changed') throw new Error(`the verdict was ${verdict.outcome}`);
  return { ...before, ...verdict.patch };
}
const NEWER = { epoch: 1, seq: 11 };

describe('a fact about a VM', () => {
  it('changes nothing when a newer one was applied, and never leaves the lifecycle table', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...VM_STATES),
        fc.constantFrom<PowerState>('running', 'paused', 'stopped', 'absent'),
        fc.record({ epoch: fc.integer({ min: 1, max: 3 }), seq: fc.integer({ min: 1, max: 20 }) }),
        fc.boolean(),
        fc.integer({ min: 0, max: 2 }),
        (state, power, stamp, busy, incarnation) => {
          const before = vm({ state, task: busy ? TASK : null, fact_epoch: 2 });
          const verdict = judge(before, fact(before, power, { incarnation }), stamp, NOW);
          if (!isNewer(stamp, { epoch: 2, seq: 10 })) expect(verdict).toEqual({ outcome: 'stale' });
          if (busy) expect(['stale', 'busy']).toContain(verdict.outcome);
          if (verdict.outcome !== 'changed') return;
          const after = verdict.patch.state ?? state;
          expect(after === state || canTransition(state, after)).toBe(true);
          expect(isTransient(after) && after !== state).toBe(false);
          expect(verdict.patch).toMatchObject({ fact_epoch: stamp.epoch, fact_seq: stamp.seq });
        },
      ),
    );
  });

  it.each<[VmState, PowerState, VmState]>([
    ['running', 'stopped', 'stopped'],
    ['running', 'paused', 'paused'],
    ['paused', 'running', 'running'],
    ['stopped', 'running', 'running'],
    ['unknown', 'running', 'running'],
    ['unknown', 'paused', 'paused'],
    ['unknown', 'stopped', 'stopped'],
    ['unknown', 'absent', 'error'],
    ['running', 'absent', 'stopped'],
    ['paused', 'absent', 'stopped'],
  ])('makes a VM that is %s and reported %s %s', (state, power, after) => {
    const before = vm({ state });
    expect(judge(before, fact(before, power), NEWER, NOW)).toMatchObject({
      outcome: 'changed',
      patch: { state: after },
    });
  });

  it('gives the stop reason that the host reports', () => {
    const before = vm();
    expect(judge(before, fact(before, 'stopped', { reason: 'guest_shutdown' }), NEWER, NOW)).toMatchObject({
      patch: { state: 'stopped', stop_reason: 'guest_shutdown' },
    });
  });

  it('reports a lost guest once, in every state of the VM', () => {
    for (const state of ['running', 'unknown', 'stopped'] as const) {
      const before = vm({ state });
      const verdict = judge(before, fact(before, 'absent'), NEWER, NOW);
      expect(verdict).toMatchObject({ outcome: 'changed', patch: { last_error: { code: 'guest_lost' } } });
      if (verdict.outcome !== 'changed') continue;
      const after = { ...before, ...verdict.patch };
      expect(judge(after, fact(after, 'absent'), { epoch: 1, seq: 12 }, NOW)).toEqual({ outcome: 'same' });
    }
  });

  it('leaves error, suspended and equal states alone', () => {
    for (const [state, power] of [
      ['error', 'stopped'],
      ['error', 'absent'],
      ['suspended', 'stopped'],
      ['running', 'running'],
    ] as const) {
      const before = vm({ state });
      expect(judge(before, fact(before, power), NEWER, NOW)).toEqual({ outcome: 'same' });
    }
  });

  it('of an old guest process counts only when the host has registered anew', () => {
    const before = vm({ incarnation: 5 });
    expect(judge(before, fact(before, 'stopped', { incarnation: 4 }), NEWER, NOW)).toEqual({
      outcome: 'stale',
    });
    expect(
      judge(before, fact(before, 'stopped', { incarnation: 1 }), { epoch: 2, seq: 1 }, NOW),
    ).toMatchObject({
      patch: { state: 'stopped', incarnation: 1 },
    });
  });

  it.each(Object.keys(GUEST_FAULTS) as GuestFault[])(
    'shows why the hypervisor paused the guest (%s), once, until it runs again',
    (reason) => {
      const before = vm();
      const paused = judge(before, fact(before, 'paused', { reason }), NEWER, NOW);
      expect(paused).toMatchObject({
        outcome: 'changed',
        patch: {
          state: 'paused',
          last_error: { code: reason, detail: GUEST_FAULTS[reason] },
          conditions: [{ type: 'GuestFault', status: 'true', reason, message: GUEST_FAULTS[reason] }],
        },
      });
      const after = patched(before, paused);
      const later = { epoch: 1, seq: 12 };
      expect(judge(after, fact(after, 'paused', { reason }), later, NOW)).toEqual({ outcome: 'same' });
      expect(judge(after, fact(after, 'running'), later, NOW)).toMatchObject({
        patch: { state: 'running', last_error: null, conditions: [] },
      });
    },
  );

  it('leaves a VM that its user has paused without a fault', () => {
    const before = vm({ state: 'paused' });
    expect(judge(before, fact(before, 'paused'), NEWER, NOW)).toEqual({ outcome: 'same' });
  });

  it('distinguishes "the guest is up" from "running", with the time of the change', () => {
    const before = vm();
    const verdictOf = (of: Judged, ready: boolean, seq: number, at = NOW) =>
      judge(of, { ...fact(of, 'running'), ready }, { epoch: 1, seq }, at);
    const booting = patched(before, verdictOf(before, false, 11));
    expect(booting.conditions).toMatchObject([
      { type: 'GuestReady', status: 'false', reason: 'NotReported' },
    ]);
    const later = new Date(NOW.getTime() + 5_000);
    const up = patched(booting, verdictOf(booting, true, 12, later));
    expect(up.conditions).toMatchObject([
      { type: 'GuestReady', status: 'true', lastTransitionAt: later.toISOString() },
    ]);
    expect(verdictOf(up, true, 13)).toEqual({ outcome: 'same' });
    expect(judge(up, fact(up, 'stopped'), { epoch: 1, seq: 14 }, NOW)).toMatchObject({
      patch: { state: 'stopped', conditions: [] },
    });
  });

  it('about a VM whose record is damaged shows that, and leaves the count of its guests', () => {
    const before = vm({ incarnation: 5 });
    const damaged = { ...fact(before, 'running', { incarnation: 0 }), damaged: true };
    const verdict = judge(before, damaged, NEWER, NOW);
    expect(verdict).toMatchObject({
      patch: { conditions: [{ type: 'RecordDamaged', reason: 'RecordUnreadable' }] },
    });
    expect(patched(before, verdict)).toMatchObject({ state: 'running', incarnation: 5 });
    const off = judge(before, { ...damaged, power: 'stopped' }, NEWER, NOW);
    expect(off).toMatchObject({ patch: { state: 'stopped' } });
  });

  it('ends the condition of a host that was away, also under a live job', () => {
    const before = vm({ state: 'unknown', conditions: [UNREACHABLE] });
    expect(judge(before, fact(before, 'running'), NEWER, NOW)).toMatchObject({
      patch: { state: 'running', conditions: [] },
    });
    const busy = vm({ task: TASK, conditions: [UNREACHABLE] });
    expect(judge(busy, fact(busy, 'stopped'), NEWER, NOW)).toEqual({
      outcome: 'busy',
      patch: { conditions: [] },
    });
  });
});
