import type { VmId } from '@novacron/contracts/ids';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { GuestRegistry } from './guest-registry.js';
import { consoleSize } from './console-file.js';

/** The line that a guest prints on its serial console when its user space is up. */
const MARKER = Buffer.from('NOVACRON-GUEST-UP');
const CHUNK_BYTES = 262_144;

/** Searches the consoles of guests that are not up yet for the line that reports it. */
export class ReadyWatch {
  /** Up to where each console was searched. */
  readonly #positions = new Map<VmId, { readonly from: number; at: number }>();

  constructor(
    private readonly guests: GuestRegistry,
    private readonly onReady: (vmId: VmId) => void,
    private readonly onWarning: (message: string, error?: unknown) => void,
  ) {}

  /** Checks every running guest once. Never rejects. */
  async look(): Promise<void> {
    const running = this.guests.running.map(({ vmId }) => vmId);
    for (const vmId of this.#positions.keys()) if (!running.includes(vmId)) this.#positions.delete(vmId);
    await Promise.all(
      running.map((vmId) =>
        this.#lookAt(vmId).catch((error: unknown) =>
          this.onWarning(`the console of ${vmId} could not be read`, error),
        ),
      ),
    );
  }

  async #lookAt(vmId: VmId): Promise<void> {
    const record = await this.guests.record(vmId);
    if (!record || record === 'damaged' || record.ready) return;
    const from = record.consoleFrom;
    let position = this.#positions.get(vmId);
    if (position?.from !== from) this.#positions.set(vmId, (position = { from, at: from }));
    if (!(await isPrintedAfter(this.guests.folderOf(vmId), position))) return;
    await this.guests.update(vmId, (now) => (now.consoleFrom === from ? { ...now, ready: true } : now), {
      mayWait: true,
    });
    this.onReady(vmId);
  }
}

/** Advances the position to the console's end, or to the marker. */
async function isPrintedAfter(folder: string, position: { at: number }): Promise<boolean> {
  const size = await consoleSize(folder);
  if (size < position.at) position.at = 0; // the file was truncated
  if (size === position.at) return false;
  const file = await open(join(folder, 'console.log'), 'r');
  try {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (;;) {
      // The marker may arrive in two parts.
      const start = Math.max(0, position.at - MARKER.length);
      const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, start);
      if (start + bytesRead <= position.at) return false;
      position.at = start + bytesRead;
      if (chunk.subarray(0, bytesRead).includes(MARKER)) return true;
    }
  } finally {
    await file.close();
  }
}
