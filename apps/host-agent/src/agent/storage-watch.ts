import type { ReportedCondition } from '@novacron/contracts/infrastructure';
import { statfs } from 'node:fs/promises';

const MIB = 1_048_576;
/** A host with less free space than this is full. A small file system is full below this share. */
const FULL_BELOW_BYTES = 64 * MIB;
const FULL_BELOW_SHARE = 0.05;
/** It has space again at this multiple, so that the condition does not flap. */
const SPACE_AGAIN = 2;

export interface StorageWatchOptions {
  /** A folder of the watched file system. */
  readonly folder: string;
  readonly reserve: { refill(): Promise<boolean> };
  /** Retries the writes that the disk refused. */
  readonly retryPending: () => void;
}

/** Watches the file system of the host's state and disks. A host with a full file system accepts no new VM. */
export class StorageWatch {
  #full = false;

  constructor(private readonly options: StorageWatchOptions) {}

  /** The host's current conditions by its file system. */
  async conditions(): Promise<ReportedCondition[]> {
    const { folder, reserve, retryPending } = this.options;
    const { bavail, bsize, blocks, ffree, files } = await statfs(folder);
    const least = Math.min(FULL_BELOW_BYTES, blocks * bsize * FULL_BELOW_SHARE);
    this.#full = bavail * bsize < (this.#full ? least * SPACE_AGAIN : least);
    if (files > 0 && ffree === 0) return [full('NoInodes', 'The file system of the host has no inodes left')];
    if (this.#full) return [full('NoSpace', 'The file system of the host is full')];
    retryPending();
    await reserve.refill();
    return [];
  }
}

function full(reason: string, message: string): ReportedCondition {
  return { type: 'StorageFull', reason, message };
}
