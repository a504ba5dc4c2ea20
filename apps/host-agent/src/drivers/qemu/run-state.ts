import type { GuestFault, PowerState } from '@novacron/contracts/agents';
import { z } from 'zod';
import type { GuestHandle } from './guest-handle.js';

const Status = z.object({ status: z.string() });
const Blocks = z.array(z.object({ 'io-status': z.string().optional() }));

/** QMP `RunState`s in which QEMU has stopped a guest by itself. */
const FAULTS: Readonly<Record<string, GuestFault>> = {
  'io-error': 'io_error',
  'guest-panicked': 'guest_panicked',
  'internal-error': 'internal_error',
  watchdog: 'watchdog',
};

export interface RunState {
  readonly power: Extract<PowerState, 'running' | 'paused'>;
  /** Why QEMU paused the guest; null when it runs, or when a command paused it. */
  readonly fault: GuestFault | null;
}

/** From QMP `query-status`: a guest that does not run is paused, as long as its process exists. */
export async function runStateOf(handle: Pick<GuestHandle, 'execute'>): Promise<RunState> {
  const { status } = Status.parse(await handle.execute('query-status'));
  if (status === 'running') return { power: 'running', fault: null };
  const fault = FAULTS[status] ?? null;
  if (fault !== 'io_error') return { power: 'paused', fault };
  const blocks = Blocks.parse(await handle.execute('query-block'));
  const isFull = blocks.some((block) => block['io-status'] === 'nospace');
  return { power: 'paused', fault: isFull ? 'no_space' : 'io_error' };
}
