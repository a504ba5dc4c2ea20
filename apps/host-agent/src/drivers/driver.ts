import type { CommandReply, GuestSpec, VmFact } from '@novacron/contracts/agents';
import type { VmId } from '@novacron/contracts/ids';
import type { Capability, Capacity, ReportedCondition } from '@novacron/contracts/infrastructure';
import type { BuiltInMetric } from '@novacron/contracts/metrics';

export type FailureCode = Extract<CommandReply, { outcome: 'failed' }>['code'];

/**
 * A failure on the host by the codes of the command contract. Tenants read `detail`, which names no path, socket, process
 * or other VM. All other information is the `cause`, for the agent's log only.
 */
export class DriverError extends Error {
  override readonly name = 'DriverError';

  constructor(
    readonly code: FailureCode,
    detail: string,
    readonly retryable: boolean,
    options?: ErrorOptions,
  ) {
    super(detail, options);
  }
}

/** One VM's built-in metrics at one time (milliseconds since 1970); units as in the metrics contract. */
export interface Sample {
  readonly vmId: VmId;
  readonly time: number;
  readonly values: Partial<Record<BuiltInMetric, number>>;
}

/**
 * A hypervisor, as the agent uses it. Every operation may be repeated after a crash in the middle of it: a state that is
 * already reached is a success. The agent never runs two operations of one VM at a time. After an abort an operation
 * rejects soon, and has no later effect. Guests outlive the driver object.
 *
 * Operations reject with DriverError; any other rejection is reported as `driver_error`, retryable.
 */
export interface Driver {
  readonly name: string;
  readonly capabilities: readonly Capability[];
  /** How many operations may run at a time on this host. */
  readonly concurrency: number;
  images(): Promise<string[]>;
  /** The host's resources for guests now, before any overcommit. */
  capacity(): Promise<Capacity>;

  /** Creates the disk without starting the guest. */
  create(spec: GuestSpec, signal: AbortSignal): Promise<void>;
  start(spec: GuestSpec, signal: AbortSignal): Promise<void>;
  /** Presses the power button; resolves when the guest has received the event. */
  shutdown(vmId: VmId, signal: AbortSignal): Promise<void>;
  forceStop(vmId: VmId, signal: AbortSignal): Promise<void>;
  /** Asks the guest to restart, and forces it after `graceMs`. Resolves when it runs again. */
  reboot(vmId: VmId, graceMs: number, signal: AbortSignal): Promise<void>;
  /** A hard reset. A paused guest runs afterwards. */
  reset(vmId: VmId, signal: AbortSignal): Promise<void>;
  pause(vmId: VmId, signal: AbortSignal): Promise<void>;
  resume(vmId: VmId, signal: AbortSignal): Promise<void>;
  /** Ends the guest and removes its disk. */
  delete(vmId: VmId, signal: AbortSignal): Promise<void>;

  /** The current fact, read from the hypervisor and not from memory. */
  observe(vmId: VmId): Promise<VmFact>;
  /** Every VM that has a disk or a guest here. */
  list(): Promise<VmFact[]>;
  /** The end of the serial console's output, at most `maxBytes` of it. */
  consoleLog(vmId: VmId, maxBytes: number): Promise<string>;
  /** A sample for each running guest. */
  samples(): Promise<Sample[]>;
  /** Problems of the host or some of its guests. Messages stay constant while the problem lasts. */
  conditions?(): Promise<ReportedCondition[]>;
  /** Calls the listener when a VM's power state may have changed. @returns a function that removes it */
  watch(listener: (vmId: VmId) => void): () => void;
  /** Closes files and sockets. Guests keep running. */
  close(): Promise<void>;
}

/** A VM that has neither disk nor guest here. */
export function absent(vmId: VmId): VmFact {
  return { vmId, power: 'absent', incarnation: 0, reason: null };
}
