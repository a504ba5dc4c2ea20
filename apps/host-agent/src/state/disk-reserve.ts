import { randomBytes } from 'node:crypto';
import { statSync, truncateSync } from 'node:fs';
import { open, truncate } from 'node:fs/promises';
import { isStorageFull } from './atomic-file.js';

/** Enough for thousands of journal lines and a few small files. */
const RESERVE_BYTES = 1_048_576;

/**
 * Reserves blocks of the agent's file system for operations that free resources: force-stop and delete write a little
 * before their space is free. A file holds the blocks until they are needed.
 */
export class DiskReserve {
  private constructor(
    private readonly path: string,
    private held: boolean,
  ) {}

  /** Reserves the blocks. On a full disk the reserve is empty until `refill`. */
  static async open(path: string): Promise<DiskReserve> {
    const reserve = new DiskReserve(path, sizeOf(path) >= RESERVE_BYTES);
    await reserve.refill();
    return reserve;
  }

  /** Frees the blocks at once for the next write. @returns whether there were any */
  release(): boolean {
    if (!this.held) return false;
    this.held = false;
    truncateSync(this.path, 0);
    return true;
  }

  /** Reserves the blocks again. @returns whether the reserve is complete */
  async refill(): Promise<boolean> {
    if (this.held) return true;
    try {
      const file = await open(this.path, 'w', 0o600);
      try {
        // Random bytes, which a file system cannot compress.
        await file.writeFile(randomBytes(RESERVE_BYTES));
        await file.sync();
      } finally {
        await file.close();
      }
      return (this.held = true);
    } catch (error) {
      if (!isStorageFull(error)) throw error;
      await truncate(this.path, 0).catch(() => undefined);
      return false;
    }
  }

  /** Runs `work`, and runs it again with the blocks freed when the disk was full. */
  async use<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!isStorageFull(error) || !this.release()) throw error;
      return work();
    }
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
