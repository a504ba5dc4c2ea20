import { detailOf } from '@novacron/contracts/common';
import { JOB_HISTORY_LIMIT, type JobStepRun } from '@novacron/contracts/jobs';
import { deadlineMs, isTransient, type VmState } from '@novacron/vm-lifecycle/states';
import type { VmPatch } from '../vms/change.js';
import { withGuest } from '../vms/guest-conditions.js';
import type { TaskColumn, VmRow } from '../vms/row.js';
import type { LeasedJob, Operation, StepResult } from './operation.js';
import type { JobRow } from './row.js';

/** Why a job did not succeed. */
export interface Failure {
  readonly code: string;
  readonly detail: string;
}

/** The failure of a job that a user cancelled. */
export const CANCELLED = 'cancelled';

/** A step that has run, and what came of it. */
export interface Ended {
  readonly operation: Operation;
  readonly leased: LeasedJob;
  readonly result: StepResult;
  readonly startedAt: Date;
}

export interface Advanced {
  readonly job: JobRow;
  readonly patch: VmPatch;
  /** When it is due; null: the worker goes on under its lease. */
  readonly dueInMs: number | null;
}

/** A task in a stable state (pause) has this long. */
const STABLE_DEADLINE_MS = 60_000;
/** Undoing has a deadline of its own, because the steps that it undoes may have used up theirs. */
const UNDO_DEADLINE_MS = 60_000;

const LOOK_AGAIN: StepResult = { then: 'wait', ms: 0, detail: 'its user wants something else now' };

/** The step chose the VM's final state by an intent that has changed since: it runs again, with the new one. */
function wishChanged({ leased, result }: Ended, vm: VmRow): boolean {
  return result.then === 'done' && vm.generation !== leased.vm.generation;
}

export function deadlineIn(state: VmState, now: Date): Date {
  return new Date(now.getTime() + (isTransient(state) ? deadlineMs(state) : STABLE_DEADLINE_MS));
}

/**
 * The transition of a job. After a failure the job undoes its steps one by one, where they have an `undo`; then the
 * operation decides the VM's state. Pure.
 */
export function advance(ended: Ended, vm: VmRow, job: JobRow, now: Date): Advanced {
  const { operation } = ended;
  const result: StepResult = wishChanged(ended, vm) ? LOOK_AGAIN : ended.result;
  const base = {
    ...job,
    args: { ...job.args, ...result.args },
    history: history({ ...ended, result }, job, now),
    updated_at: now,
  };
  const bumped: JobRow = { ...base, version: job.version + 1 };
  switch (result.then) {
    case 'wait': {
      const untilDeadline = Math.max(0, job.deadline.getTime() - now.getTime());
      const waiting: JobRow = { ...bumped, status: 'waiting', lease_owner: null, attempt: job.attempt + 1 };
      // Only an operation without a failure continues past its deadline: a delete that its host refuses.
      const dueInMs = untilDeadline > 0 ? Math.min(result.ms, untilDeadline) : result.ms;
      return { job: waiting, patch: result.patch ?? {}, dueInMs };
    }
    case 'next':
      return job.undoing
        ? undoFrom(ended, vm, bumped, job.step_index - 1, now)
        : forward(ended, vm, bumped, now);
    case 'done':
      if (job.undoing) return fail(ended, vm, bumped, reasonOf(job), now);
      return end(
        bumped,
        'succeeded',
        { ...patchOf(ended, vm, now), observed_generation: vm.generation },
        ended,
      );
    case 'failed': {
      const error = { code: result.code, detail: detailOf(result.detail ?? result.code) };
      const failed = { ...bumped, error };
      if (job.undoing || !operation.steps[job.step_index]?.undo) return fail(ended, vm, failed, error, now);
      return undoFrom(ended, vm, failed, job.step_index, now);
    }
  }
}

function forward(ended: Ended, vm: VmRow, job: JobRow, now: Date): Advanced {
  const index = job.step_index + 1;
  const step = ended.operation.steps[index];
  if (!step)
    return end(job, 'succeeded', { ...patchOf(ended, vm, now), observed_generation: vm.generation }, ended);
  const state = step.state ?? vm.state;
  const deadline = state === vm.state ? job.deadline : deadlineIn(state, now);
  return enter(
    { ...job, step: step.name, step_index: index, deadline },
    { ...patchOf(ended, vm, now), state },
  );
}

/** Continues to undo at the nearest step at or below `index` that has an `undo`. */
function undoFrom(ended: Ended, vm: VmRow, job: JobRow, index: number, now: Date): Advanced {
  for (let i = index; i >= 0; i--) {
    const step = ended.operation.steps[i];
    if (!step?.undo) continue;
    const undoing = turnAround(job, i, step.name, now);
    return enter(undoing, patchOf(ended, vm, now));
  }
  return fail(ended, vm, job, reasonOf(job), now);
}

/** The job as it undoes from step `index` on. The first undo sets a new deadline. */
export function turnAround(job: JobRow, index: number, step: string, now: Date): JobRow {
  const deadline = job.undoing ? job.deadline : new Date(now.getTime() + UNDO_DEADLINE_MS);
  return { ...job, undoing: true, step, step_index: index, deadline };
}

function reasonOf(job: JobRow): Failure {
  return job.error ?? { code: 'internal', detail: 'it failed without saying why' };
}

function enter(job: JobRow, patch: VmPatch): Advanced {
  const entered: JobRow = { ...job, attempt: 0, status: 'running' };
  return { job: entered, patch: { ...patch, task: taskOf(entered) }, dueInMs: null };
}

function fail(ended: Ended, vm: VmRow, job: JobRow, error: Failure, now: Date): Advanced {
  const patch = { ...patchOf(ended, vm, now), ...left(ended.operation, vm, job, error, now) };
  return end({ ...job, error }, error.code === CANCELLED ? 'cancelled' : 'failed', patch, ended);
}

/** The patch of a VM whose job did not succeed. After a cancel its desired state is the one before the job. */
export function left(operation: Operation, vm: VmRow, job: JobRow, error: Failure, now: Date): VmPatch {
  const desired = error.code === CANCELLED ? job.args.desired : undefined;
  return {
    ...operation.failed({ vm, job }, error),
    ...(desired === undefined ? {} : { desired_state: desired }),
    last_error: { ...error, at: now.toISOString() },
  };
}

function end(
  job: JobRow,
  status: 'succeeded' | 'failed' | 'cancelled',
  patch: VmPatch,
  ended: Ended,
): Advanced {
  const over: JobRow = { ...job, status, lease_owner: null, attempt: job.attempt + 1 };
  const freed = ended.result.releaseQuota ? { quota_held: false } : {};
  return { job: over, patch: { ...patch, ...freed, task: null }, dueInMs: 0 };
}

/** The patch of the step, with the number of the fact that it is based on, and the guest's conditions by that fact. */
function patchOf({ result }: Ended, vm: VmRow, now: Date): VmPatch {
  const { fact } = result;
  const newer =
    fact && (fact.epoch > vm.fact_epoch || (fact.epoch === vm.fact_epoch && fact.seq > vm.fact_seq));
  if (!newer) return { ...result.patch };
  const conditions = fact.fact ? withGuest(vm.conditions, fact.fact, now) : vm.conditions;
  const guest = conditions === vm.conditions ? {} : { conditions };
  return { ...guest, ...result.patch, fact_epoch: fact.epoch, fact_seq: fact.seq };
}

/** The job as a column of its VM. */
export function taskOf(job: JobRow): TaskColumn {
  return {
    jobId: job.id,
    kind: job.kind,
    step: job.step,
    stepIndex: job.step_index,
    stepCount: job.step_count,
    deadline: job.deadline.toISOString(),
  };
}

function history(ended: Ended, job: JobRow, now: Date): JobStepRun[] {
  const took = ended.result.then;
  const outcome = job.undoing && (took === 'next' || took === 'done') ? 'undone' : took;
  const run: JobStepRun = {
    step: job.step,
    attempt: job.attempt + 1,
    outcome,
    detail: ended.result.detail === undefined ? null : detailOf(ended.result.detail),
    startedAt: ended.startedAt.toISOString(),
    endedAt: now.toISOString(),
  };
  const last = job.history.at(-1);
  // Repeated waits are one entry, with the last end.
  if (
    last?.step === run.step &&
    last.outcome === 'wait' &&
    outcome === 'wait' &&
    last.detail === run.detail
  ) {
    return [...job.history.slice(0, -1), { ...run, startedAt: last.startedAt }];
  }
  return [...job.history, run].slice(-JOB_HISTORY_LIMIT);
}
