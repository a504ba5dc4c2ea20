import type { CommandReply, GuestSpec, VmFact } from '@novacron/contracts/agents';
import type { VmId } from '@novacron/contracts/ids';
import type { Capability, Capacity, ReportedCondition } from '@novacron/contracts/infrastructure';
import type { BuiltInMetric } from '@novacron/contracts/metrics';

export type FailureCode = Extract<CommandReply, { outcome: 'failed' }>['code'];

/**
 * What went wrong on the host, in the words of the command contract. `detail` is what tenants read: it names no path,
 * socket, process or other VM. Whatever else is known is the `cause`, which goes to the agent's log alone.
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
 * A hypervisor, as the agent sees it. Every operation may be run again after a crash in the middle of it: what
 * is already so is a success. The agent never runs two operations of one VM at a time. An aborted signal makes an
 * operation reject soon, without effects after that; guests outlive the driver object.
 *
 * Operations reject with DriverError; any other rejection is reported as `driver_error`, retryable.
 */
export interface Driver {
  readonly name: string;
  readonly capabilities: readonly Capability[];
  /** How many operations may run at a time on this host. */
  readonly concurrency: number;
  images(): Promise<string[]>;
  /** What the host has for guests now, before any overcommit. */
  capacity(): Promise<Capacity>;

  /** Makes the disk; starts nothing. */
  create(spec: GuestSpec, signal: AbortSignal): Promise<void>;
  start(spec: GuestSpec, signal: AbortSignal): Promise<void>;
  /** Presses the power button; resolves once the guest was told. */
  shutdown(vmId: VmId, signal: AbortSignal): Promise<void>;
  forceStop(vmId: VmId, signal: AbortSignal): Promise<void>;
  /** Asks the guest to restart, and makes it after `graceMs`. Resolves when it runs again. */
  reboot(vmId: VmId, graceMs: number, signal: AbortSignal): Promise<void>;
  /** Hard; a paused guest runs afterwards. */
  reset(vmId: VmId, signal: AbortSignal): Promise<void>;
  pause(vmId: VmId, signal: AbortSignal): Promise<void>;
  resume(vmId: VmId, signal: AbortSignal): Promise<void>;
  /** Ends the guest and removes its disk. */
  delete(vmId: VmId, signal: AbortSignal): Promise<void>;

  /** What is so now: looked up, not remembered. */
  observe(vmId: VmId): Promise<VmFact>;
  /** Every VM that has a disk or a guest here. */
  list(): Promise<VmFact[]>;
  /** The end of the serial console's output, at most `maxBytes` of it. */
  consoleLog(vmId: VmId, maxBytes: number): Promise<string>;
  /** A sample for each running guest. */
  samples(): Promise<Sample[]>;
  /** What keeps the host, or some of its guests, from working as they should. Messages do not change by the second. */
  conditions?(): Promise<ReportedCondition[]>;
  /** Tells when a VM's power state may have changed, by a command or by itself; the answer ends it. */
  watch(listener: (vmId: VmId) => void): () => void;
  /** Lets go of files and sockets; guests keep running. */
  close(): Promise<void>;
}

/** A VM that has neither disk nor guest here. */
export function absent(vmId: VmId): VmFact {
  return { vmId, power: 'absent', incarnation: 0, reason: null };
}
