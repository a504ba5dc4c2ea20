import type { GuestSpec } from '@novacron/contracts/agents';
import type { VmId } from '@novacron/contracts/ids';
import type { Driver } from '../../src/drivers/driver.js';

type Operation =
  'create' | 'start' | 'shutdown' | 'forceStop' | 'reboot' | 'reset' | 'pause' | 'resume' | 'delete';

/** A fault instead of, or before, an operation. `lie`: reports success without an effect. */
export type Fault = (signal: AbortSignal) => Promise<'proceed' | 'lie'>;

/** A real driver that can be set to fail, delay, hang or lie. Counts the operations that reach the hypervisor. */
export class FaultyDriver implements Driver {
  readonly calls: Operation[] = [];
  readonly #faults = new Map<Operation, Fault>();

  constructor(private readonly real: Driver) {}

  /** Sets the fault of every following `operation`, until it is changed. */
  fault(operation: Operation, fault: Fault): void {
    this.#faults.set(operation, fault);
  }

  mend(): void {
    this.#faults.clear();
  }

  get name() {
    return this.real.name;
  }
  get capabilities() {
    return this.real.capabilities;
  }
  get concurrency() {
    return this.real.concurrency;
  }
  images = () => this.real.images();
  capacity = () => this.real.capacity();
  create = (spec: GuestSpec, signal: AbortSignal) =>
    this.#do('create', signal, () => this.real.create(spec, signal));
  start = (spec: GuestSpec, signal: AbortSignal) =>
    this.#do('start', signal, () => this.real.start(spec, signal));
  shutdown = (vmId: VmId, signal: AbortSignal) =>
    this.#do('shutdown', signal, () => this.real.shutdown(vmId, signal));
  forceStop = (vmId: VmId, signal: AbortSignal) =>
    this.#do('forceStop', signal, () => this.real.forceStop(vmId, signal));
  reboot = (vmId: VmId, graceMs: number, signal: AbortSignal) =>
    this.#do('reboot', signal, () => this.real.reboot(vmId, graceMs, signal));
  reset = (vmId: VmId, signal: AbortSignal) => this.#do('reset', signal, () => this.real.reset(vmId, signal));
  pause = (vmId: VmId, signal: AbortSignal) => this.#do('pause', signal, () => this.real.pause(vmId, signal));
  resume = (vmId: VmId, signal: AbortSignal) =>
    this.#do('resume', signal, () => this.real.resume(vmId, signal));
  delete = (vmId: VmId, signal: AbortSignal) =>
    this.#do('delete', signal, () => this.real.delete(vmId, signal));
  observe = (vmId: VmId) => this.real.observe(vmId);
  list = () => this.real.list();
  consoleLog = (vmId: VmId, maxBytes: number) => this.real.consoleLog(vmId, maxBytes);
  samples = () => this.real.samples();
  conditions = async () => (await this.real.conditions?.()) ?? [];
  watch = (listener: (vmId: VmId) => void) => this.real.watch(listener);
  close = () => this.real.close();

  async #do(operation: Operation, signal: AbortSignal, real: () => Promise<void>): Promise<void> {
    this.calls.push(operation);
    if ((await this.#faults.get(operation)?.(signal)) === 'lie') return;
    signal.throwIfAborted();
    await real();
  }
}
