import type { Logger } from '@novacron/telemetry/logger';
import { operationOf } from '../operations/registry.js';
import { CANCELLED, type Ended } from './advance.js';
import type { VmRow } from '../vms/row.js';
import type { HostCommands } from './host-commands.js';
import type { Claim, Operation, PlaceDecision, Step, StepContext, StepResult } from './operation.js';

const AFTER_ERROR_MS = 1_000;

export interface StepPorts {
  readonly commands: Pick<HostCommands, 'send'>;
  readonly placer: { place(claim: Claim): Promise<PlaceDecision>; isFenced(vm: VmRow): boolean };
  readonly logger: Pick<Logger, 'error'>;
  /** The database's time. */
  readonly now: () => Date;
}

/** Runs the one step that a claim stands at, forward or back. Whatever it throws is a reason to try it again. */
export async function runStep(claim: Claim, ports: StepPorts): Promise<Ended> {
  const startedAt = ports.now();
  const operation = operationOf(claim.job.kind) as Operation;
  const step = operation.steps[claim.job.step_index] as Step;
  const context: StepContext = {
    ...claim,
    now: ports.now,
    send: (command) => ports.commands.send(claim, command),
    place: () => ports.placer.place(claim),
    hostIsFenced: () => ports.placer.isFenced(claim.vm),
  };
  const result = overdue(operation, claim, startedAt) ?? (await attempt(step, context, ports));
  return { operation, claim, result, startedAt };
}

/** A job that was never tried is tried once, however late: the queue is no reason to fail. */
function overdue(operation: Operation, claim: Claim, now: Date): StepResult | null {
  if (
    now < claim.job.deadline ||
    (claim.job.attempt === 0 && !claim.job.undoing && claim.job.step_index === 0)
  )
    return null;
  const own = operation.overdue?.(claim, now);
  if (own === 'again') return null;
  if (own) return own;
  const last = claim.job.history.at(-1);
  const why = last?.step === claim.job.step && last.detail !== null ? `: ${last.detail}` : '';
  const detail = `${claim.job.step} was not done by ${claim.job.deadline.toISOString()}${why}`;
  const abandoned = claim.job.undoing ? operation.steps[claim.job.step_index]?.abandoned : undefined;
  return { then: 'failed', code: 'deadline_exceeded', detail, ...abandoned };
}

async function undo(step: Step, context: StepContext): Promise<StepResult> {
  if (context.job.error?.code === CANCELLED && step.cancel.by === 'undoing') return step.cancel.undo(context);
  return step.undo ? step.undo(context) : { then: 'next' };
}

async function attempt(step: Step, context: StepContext, ports: StepPorts): Promise<StepResult> {
  try {
    if (context.job.undoing) return await undo(step, context);
    return await step.do(context);
  } catch (error) {
    ports.logger.error(
      { err: error, jobId: context.job.id, vmId: context.vm.id, step: step.name },
      'a step threw',
    );
    return { then: 'wait', ms: AFTER_ERROR_MS, detail: 'it could not be done just now' };
  }
}
