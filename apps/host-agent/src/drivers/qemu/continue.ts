import { GUEST_FAULTS } from '@novacron/contracts/agents';
import type { Clock } from '../../time/clock.js';
import { DriverError } from '../driver.js';
import type { GuestHandle } from './guest-handle.js';
import { runStateOf, type RunState } from './run-state.js';

/** A guest that repeats a failed I/O is paused again within this time if it fails again. */
const FAULT_AGAIN_MS = 500;
const POLL_MS = 50;

/** Lets a guest run after its reset. After some faults QEMU refuses that until the reset is complete. */
export async function continueAfterReset(
  handle: GuestHandle,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  if ((await runStateOf(handle)).power === 'running') return;
  for (const deadline = clock.now() + FAULT_AGAIN_MS; ;) {
    try {
      await handle.execute('cont');
      return;
    } catch (error) {
      if (clock.now() > deadline) throw error;
      await clock.sleep(POLL_MS, signal);
    }
  }
}

/** Lets a paused guest run. @throws DriverError of its fault, when the guest cannot continue or fails again */
export async function continueAfterPause(
  handle: GuestHandle,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const { fault } = await runStateOf(handle);
  // A disk may have recovered: QEMU repeats the failed I/O.
  if (fault !== null && fault !== 'io_error' && fault !== 'no_space') throw faulty(fault);
  await handle.execute('cont');
  if (fault === null) return;
  for (const deadline = clock.now() + FAULT_AGAIN_MS; clock.now() < deadline;) {
    const again = (await runStateOf(handle)).fault;
    if (again !== null) throw faulty(again);
    await clock.sleep(POLL_MS, signal);
  }
}

function faulty(fault: NonNullable<RunState['fault']>): DriverError {
  return new DriverError(fault, GUEST_FAULTS[fault], false);
}
