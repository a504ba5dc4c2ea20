import type { ReportedCondition } from '@novacron/contracts/infrastructure';
import { statfs } from 'node:fs/promises';

const MIB = 1_048_576;
/** A host with less free space than this is full; a small file system is full with this share of it free. */
const FULL_BELOW_BYTES = 64 * MIB;
const FULL_BELOW_SHARE = 0.05;
/** It has space again at so many times that: guests on the verge must not make it blink. */
const SPACE_AGAIN = 2;

export interface StorageWatchOptions {
  /** A folder of the file system that is watched. */
  readonly folder: string;
  readonly reserve: { refill(): Promise<boolean> };
  /** Writes down what the disk did not take. */
  readonly retryOwed: () => void;
}

/** Watches the file system of the host's state and disks: full, the host takes no new VM. */
export class StorageWatch {
  #full = false;

  constructor(private readonly options: StorageWatchOptions) {}

  /** The condition that the file system gives the host now. */
  async conditions(): Promise<ReportedCondition[]> {
    const { folder, reserve, retryOwed } = this.options;
    const { bavail, bsize, blocks, ffree, files } = await statfs(folder);
    const least = Math.min(FULL_BELOW_BYTES, blocks * bsize * FULL_BELOW_SHARE);
    this.#full = bavail * bsize < (this.#full ? least * SPACE_AGAIN : least);
    if (files > 0 && ffree === 0) return [full('NoInodes', 'The file system of the host has no inodes left')];
    if (this.#full) return [full('NoSpace', 'The file system of the host is full')];
    retryOwed();
    await reserve.refill();
    return [];
  }
}

function full(reason: string, message: string): ReportedCondition {
  return { type: 'StorageFull', reason, message };
}
