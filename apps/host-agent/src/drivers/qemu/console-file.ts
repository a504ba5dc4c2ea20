import { open, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { isStorageFull, writeFileAtomic } from '../../state/atomic-file.js';

/** The current file may grow to this, and the one before it holds as much as is worth keeping. */
const LIMIT_BYTES = 1_048_576;
const KEPT_BYTES = 262_144;

/**
 * Keeps a console's file bounded: its end moves to `console.log.1`, and it starts anew. QEMU appends, so that it
 * goes on at the new end; what it writes between the copy and the cut is lost. On a full disk the end is lost too:
 * space counts more. While no agent runs, nobody cuts.
 */
export async function boundConsole(folder: string): Promise<void> {
  const path = join(folder, 'console.log');
  if ((await sizeOf(path)) <= LIMIT_BYTES) return;
  try {
    await writeFileAtomic(`${path}.1`, await tailOf(path, KEPT_BYTES));
  } catch (error) {
    if (!isStorageFull(error)) throw error;
  }
  await truncate(path, 0);
}

/** How many bytes the current file has. */
export function consoleSize(folder: string): Promise<number> {
  return sizeOf(join(folder, 'console.log'));
}

/** The last `maxBytes` of what the console has printed. */
export async function readConsole(folder: string, maxBytes: number): Promise<string> {
  const path = join(folder, 'console.log');
  const current = await tailOf(path, maxBytes);
  const before =
    current.length < maxBytes ? await tailOf(`${path}.1`, maxBytes - current.length) : Buffer.alloc(0);
  return Buffer.concat([before, current]).toString('utf8');
}

async function tailOf(path: string, maxBytes: number): Promise<Buffer> {
  const size = await sizeOf(path);
  if (size === 0) return Buffer.alloc(0);
  const file = await open(path, 'r');
  try {
    const length = Math.min(size, maxBytes);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}
