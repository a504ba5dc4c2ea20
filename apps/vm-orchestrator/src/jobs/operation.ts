import type { Placement } from '@novacron/contracts/vms';
import type { VmFact } from '@novacron/contracts/agents';
import type { TransientState } from '@novacron/vm-lifecycle/states';
import type { HostEffect } from '../hosts/capacity.js';
import type { PlacementDecision } from '../placement/place.js';
import type { VmPatch } from '../vms/change.js';
import type { JobKind, VmRow } from '../vms/row.js';
import type { JobArgs } from './args.js';
import type { JobRow } from './row.js';
import type { CommandBody, HostAnswer } from '../hosts/commands.js';

/** A job that a worker holds under a lease, with its VM, as they were when the last step was committed. */
export interface LeasedJob {
  readonly vm: VmRow;
  readonly job: JobRow;
}

/** The context of a step. The step reads the leased job, talks to the host and returns its writes: it writes nothing. */
export interface StepContext extends LeasedJob {
  now(): Date;
  /** Sends a command to the VM's host under the id `<job>:<step>`, with this lease's fence. */
  send(command: CommandBody): Promise<HostAnswer>;
  place(): Promise<PlacementDecision>;
  /** Whether the VM's host is fenced: it receives no commands. */
  hostIsFenced(): boolean;
}

interface Effects {
  readonly patch?: VmPatch;
  readonly args?: JobArgs;
  readonly host?: HostEffect;
  readonly releaseQuota?: boolean;
  readonly placement?: Placement;
  /** For the job's history, as a user reads it. */
  readonly detail?: string;
  /** The fact in the host's answer, with its number. It is applied unless a newer one was. */
  readonly fact?: { readonly epoch: number; readonly seq: number; readonly fact?: VmFact | undefined };
}

/** The end of one run of a step: exactly one of these, in one transaction with the state. */
export type StepResult =
  | ({ readonly then: 'next' } & Effects)
  | ({ readonly then: 'wait'; readonly ms: number } & Effects)
  | ({ readonly then: 'done' } & Effects)
  | ({ readonly then: 'failed'; readonly code: string } & Effects);

export interface Step {
  readonly name: string;
  /** The VM's state while the step runs; without one it stays as it is. */
  readonly state?: TransientState;
  /** Rerun-safe: after a crash another worker runs it again. */
  do(context: StepContext): Promise<StepResult>;
  /** Reverts the effects of `do`, even partial ones. Ends in `next`, or in `wait` to try again. */
  undo?(context: StepContext): Promise<StepResult>;
  /** The effect of a user's cancel once the step has begun. */
  readonly cancel: CancelRule;
  /** The changes of the VM and its host when `undo` has not succeeded by its deadline. */
  readonly abandoned?: Pick<Effects, 'host' | 'patch'>;
}

export type CancelRule =
  /** The step touches no host: the job ends at once. */
  | { readonly by: 'ending' }
  /** Reverts the effects of `do`, as `undo` does, or ends in `done` where earlier steps stay done. */
  | { readonly by: 'undoing'; undo(context: StepContext): Promise<StepResult> }
  /** Refused. The reason follows "it is too late:". */
  | { readonly by: 'nothing'; readonly because: string };

/** One operation on a VM: its steps at the top, then the effect of a failure and of a passed deadline. */
export interface Operation {
  readonly kind: JobKind;
  readonly steps: readonly [Step, ...Step[]];
  /**
   * The patch of the VM after a failure, once every step with an `undo` was undone. A passed deadline is the failure
   * `deadline_exceeded`.
   */
  failed(leased: LeasedJob, error: { code: string; detail: string }): VmPatch;
  /** Where a passed deadline is not the failure `deadline_exceeded`; `again`: the step is tried again; null: it is. */
  overdue?(leased: LeasedJob, now: Date): StepResult | 'again' | null;
}
