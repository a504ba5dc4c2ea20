import type { Logger } from '@novacron/telemetry/logger';
import type { Placer } from '../placement/placer.js';
import { CANCELLED, type Ended } from './advance.js';
import type { HostCommands } from './host-commands.js';
import type { OperationRegistry } from './operation-registry.js';
import type { LeasedJob, Operation, Step, StepContext, StepResult } from './operation.js';

const AFTER_ERROR_MS = 1_000;

/** The collaborators of a step. */
export interface StepOptions {
  readonly operations: Pick<OperationRegistry, 'operationOf'>;
  readonly commands: Pick<HostCommands, 'send'>;
  readonly placer: Pick<Placer, 'place' | 'isFenced'>;
  readonly logger: Pick<Logger, 'error'>;
  /** The database's time. */
  readonly now: () => Date;
}

/** Runs the one step that a leased job stands at, forward or back. An error of the step is a reason to run it again. */
export async function runStep(leased: LeasedJob, options: StepOptions): Promise<Ended> {
  const startedAt = options.now();
  const operation = options.operations.operationOf(leased.job.kind);
  const step = operation.steps[leased.job.step_index] as Step;
  const context: StepContext = {
    ...leased,
    now: options.now,
    send: (command) => options.commands.send(leased, command),
    place: () => options.placer.place(leased.vm, leased.job.id),
    hostIsFenced: () => options.placer.isFenced(leased.vm),
  };
  const result = overdue(operation, leased, startedAt) ?? (await attempt(step, context, options));
  return { operation, leased, result, startedAt };
}

/** A job that was never tried is tried once, however late: a long queue is not a reason to fail. */
function overdue(operation: Operation, leased: LeasedJob, now: Date): StepResult | null {
  if (
    now < leased.job.deadline ||
    (leased.job.attempt === 0 && !leased.job.undoing && leased.job.step_index === 0)
  )
    return null;
  const own = operation.overdue?.(leased, now);
  if (own === 'again') return null;
  if (own) return own;
  const last = leased.job.history.at(-1);
  const why = last?.step === leased.job.step && last.detail !== null ? `: ${last.detail}` : '';
  const detail = `${leased.job.step} was not done by ${leased.job.deadline.toISOString()}${why}`;
  const abandoned = leased.job.undoing ? operation.steps[leased.job.step_index]?.abandoned : undefined;
  return { then: 'failed', code: 'deadline_exceeded', detail, ...abandoned };
}

async function undo(step: Step, context: StepContext): Promise<StepResult> {
  if (context.job.error?.code === CANCELLED && step.cancel.by === 'undoing') return step.cancel.undo(context);
  return step.undo ? step.undo(context) : { then: 'next' };
}

async function attempt(step: Step, context: StepContext, options: StepOptions): Promise<StepResult> {
  try {
    if (context.job.undoing) return await undo(step, context);
    return await step.do(context);
  } catch (error) {
    options.logger.error(
      { err: error, jobId: context.job.id, vmId: context.vm.id, step: step.name },
      'job step failed unexpectedly',
    );
    return { then: 'wait', ms: AFTER_ERROR_MS, detail: 'it could not be done just now' };
  }
}
