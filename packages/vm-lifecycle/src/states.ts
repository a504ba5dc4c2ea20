/**
 * The states of a virtual machine and the transitions between them, as one table. The orchestrator takes the deadlines
 * of jobs from it. Property tests check the operations and gates against its transitions.
 *
 * `deadlineMs` is the maximum duration of a transient state. `wayOut` is a state that the deadline may lead to. The
 * job's operation chooses the state. Only tests read `wayOut`. Stable states have neither field.
 */
export const STATES = {
  pending: {
    kind: 'transient',
    deadlineMs: 60_000,
    wayOut: 'error',
    // To stopped: the VM's host was fenced, and placement found no other host.
    to: ['provisioning', 'stopped', 'error', 'deleting'],
  },
  provisioning: {
    kind: 'transient',
    deadlineMs: 300_000,
    wayOut: 'error',
    to: ['starting', 'stopped', 'pending', 'error', 'deleting'],
  },
  starting: {
    kind: 'transient',
    deadlineMs: 120_000,
    wayOut: 'stopped',
    to: ['running', 'paused', 'stopped', 'stopping', 'unknown', 'deleting'],
  },
  running: {
    kind: 'stable',
    to: [
      'stopping',
      'rebooting',
      'paused',
      'suspending',
      'resizing',
      'migrating',
      'stopped',
      'unknown',
      'deleting',
    ],
  },
  stopping: {
    kind: 'transient',
    deadlineMs: 180_000,
    wayOut: 'unknown',
    to: ['stopped', 'running', 'paused', 'suspended', 'unknown', 'deleting'],
  },
  stopped: {
    kind: 'stable',
    // To pending: the VM's host was fenced, and placement chooses again.
    to: ['starting', 'pending', 'running', 'paused', 'resizing', 'restoring', 'migrating', 'deleting'],
  },
  rebooting: {
    kind: 'transient',
    deadlineMs: 180_000,
    wayOut: 'unknown',
    to: ['running', 'paused', 'stopped', 'stopping', 'unknown', 'deleting'],
  },
  paused: {
    kind: 'stable',
    to: [
      'resuming',
      'rebooting',
      'running',
      'stopping',
      'suspending',
      'migrating',
      'stopped',
      'unknown',
      'deleting',
    ],
  },
  suspending: {
    kind: 'transient',
    deadlineMs: 120_000,
    wayOut: 'unknown',
    to: ['suspended', 'running', 'paused', 'stopping', 'stopped', 'unknown', 'deleting'],
  },
  suspended: { kind: 'stable', to: ['resuming', 'stopping', 'stopped', 'unknown', 'deleting'] },
  resuming: {
    kind: 'transient',
    deadlineMs: 120_000,
    wayOut: 'unknown',
    to: ['running', 'paused', 'suspended', 'stopping', 'stopped', 'unknown', 'deleting'],
  },
  resizing: {
    kind: 'transient',
    deadlineMs: 300_000,
    wayOut: 'unknown',
    to: ['running', 'stopped', 'stopping', 'unknown', 'deleting'],
  },
  migrating: {
    kind: 'transient',
    deadlineMs: 600_000,
    wayOut: 'unknown',
    // To provisioning: the new host creates the disk again.
    to: ['running', 'paused', 'stopped', 'stopping', 'provisioning', 'error', 'unknown', 'deleting'],
  },
  restoring: {
    kind: 'transient',
    deadlineMs: 600_000,
    wayOut: 'error',
    to: ['running', 'stopped', 'stopping', 'error', 'unknown', 'deleting'],
  },
  unknown: {
    kind: 'stable',
    to: ['running', 'paused', 'suspended', 'stopped', 'stopping', 'error', 'deleting'],
  },
  error: { kind: 'stable', to: ['pending', 'starting', 'stopping', 'stopped', 'deleting'] },
  deleting: { kind: 'transient', deadlineMs: 120_000, wayOut: 'deleted', to: ['deleted'] },
  deleted: { kind: 'terminal', to: [] },
} as const;

export type VmState = keyof typeof STATES;

type StatesOf<Kind> = { [S in VmState]: (typeof STATES)[S]['kind'] extends Kind ? S : never }[VmState];

/** A state that a live job leaves before a deadline. */
export type TransientState = StatesOf<'transient'>;

export const VM_STATES = Object.keys(STATES) as VmState[];

export function isTransient(state: VmState): state is TransientState {
  return STATES[state].kind === 'transient';
}

/** The maximum time that a VM may stay in `state`, in milliseconds. */
export function deadlineMs(state: TransientState): number {
  return STATES[state].deadlineMs;
}

/** A state that a passed deadline may lead to. */
export function wayOut(state: TransientState): VmState {
  return STATES[state].wayOut;
}

/** Whether the table has this transition. A state has no transition to itself. */
export function canTransition(from: VmState, to: VmState): boolean {
  return (STATES[from].to as readonly VmState[]).includes(to);
}
