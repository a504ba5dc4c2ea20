import { open, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { isStorageFull, writeFileAtomic } from '../../state/atomic-file.js';

/** The maximum size of the current file, and the kept part of the one before. */
const LIMIT_BYTES = 1_048_576;
const KEPT_BYTES = 262_144;

/**
 * Keeps a console's file bounded: copies its end to `console.log.1`, and truncates it. QEMU appends, so it continues at
 * the new end; its output between the copy and the truncation is lost. On a full disk the copied end is lost too, since
 * space is more important. Without an agent the file is not truncated.
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

/** The size of the current file. */
export function consoleSize(folder: string): Promise<number> {
  return sizeOf(join(folder, 'console.log'));
}

/** The last `maxBytes` of the console's output. */
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
