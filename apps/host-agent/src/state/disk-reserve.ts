import { randomBytes } from 'node:crypto';
import { statSync, truncateSync } from 'node:fs';
import { open, truncate } from 'node:fs/promises';
import { isStorageFull } from './atomic-file.js';

/** Some thousand lines of a journal, and a few small files. */
const RESERVE_BYTES = 1_048_576;

/**
 * Blocks of the agent's file system that are kept for work that frees resources: force-stop and delete write a little
 * before the space that they free is there. A file holds the blocks until somebody needs them.
 */
export class DiskReserve {
  private constructor(
    private readonly path: string,
    private held: boolean,
  ) {}

  /** Takes the blocks where there is space for them; on a full disk the reserve is empty until `refill`. */
  static async open(path: string): Promise<DiskReserve> {
    const reserve = new DiskReserve(path, sizeOf(path) >= RESERVE_BYTES);
    await reserve.refill();
    return reserve;
  }

  /** Gives the blocks to whoever writes next, at once. @returns whether there were any */
  release(): boolean {
    if (!this.held) return false;
    this.held = false;
    truncateSync(this.path, 0);
    return true;
  }

  /** Takes the blocks again. @returns whether the reserve is complete */
  async refill(): Promise<boolean> {
    if (this.held) return true;
    try {
      const file = await open(this.path, 'w', 0o600);
      try {
        // Bytes that no file system can compress away.
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

  /** Runs `work`, and once more with the blocks given back when the disk was full. */
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
