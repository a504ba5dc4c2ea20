import type { Logger } from '@novacron/telemetry/logger';
import { OPERATIONS } from '../operations/registry.js';
import type { Ended } from './advance.js';
import type { HostCommands } from './host-commands.js';
import type { Claim, Operation, PlaceDecision, Step, StepContext, StepResult } from './operation.js';

const AFTER_ERROR_MS = 1_000;

export interface StepPorts {
  readonly commands: Pick<HostCommands, 'send'>;
  readonly placer: { place(claim: Claim): Promise<PlaceDecision> };
  readonly logger: Pick<Logger, 'error'>;
}

/** Runs the one step that a claim stands at, forward or back. Whatever it throws is a reason to try it again. */
export async function runStep(claim: Claim, ports: StepPorts): Promise<Ended> {
  const startedAt = new Date();
  const operation = OPERATIONS[claim.job.kind] as Operation;
  const step = operation.steps[claim.job.step_index] as Step;
  const context: StepContext = {
    ...claim,
    now: () => new Date(),
    send: (command) => ports.commands.send(claim, command),
    place: () => ports.placer.place(claim),
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
  if (operation.overdue) return operation.overdue(claim, now);
  const detail = `${claim.job.step} was not done by ${claim.job.deadline.toISOString()}`;
  const failure = { then: 'failed', code: 'deadline_exceeded', detail } as const;
  if (!claim.job.undoing || claim.vm.host_id === null) return failure;
  return { ...failure, host: { effect: 'leave-cleanup' }, patch: { host_id: null } };
}

async function attempt(step: Step, context: StepContext, ports: StepPorts): Promise<StepResult> {
  try {
    if (context.job.undoing) return step.undo ? await step.undo(context) : { then: 'next' };
    return await step.do(context);
  } catch (error) {
    ports.logger.error(
      { err: error, jobId: context.job.id, vmId: context.vm.id, step: step.name },
      'a step threw',
    );
    return { then: 'wait', ms: AFTER_ERROR_MS, detail: 'it could not be done just now' };
  }
}
