import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A small file system, which a test can fill to the last byte. Needs root. */
export class SmallDisk {
  private constructor(readonly folder: string) {}

  /** @returns undefined where file systems cannot be mounted */
  static mount(mib: number): SmallDisk | undefined {
    const folder = mkdtempSync(join(tmpdir(), 'novacron-disk-'));
    const options = ['-t', 'tmpfs', '-o', `size=${mib}m`, 'tmpfs', folder];
    if (spawnSync('mount', options).status === 0) return new SmallDisk(folder);
    rmdirSync(folder);
    return undefined;
  }

  /** Fills it to the last byte. */
  async fill(): Promise<void> {
    const file = openSync(this.#ballast, 'a');
    try {
      for (let bytes = 1_048_576; bytes >= 1; bytes = Math.floor(bytes / 2)) {
        while (fits(file, bytes));
      }
    } finally {
      closeSync(file);
    }
    const { bfree } = await statfs(this.folder);
    if (bfree !== 0) throw new Error(`${bfree} blocks are free`);
  }

  /** Frees the space. */
  empty(): void {
    rmSync(this.#ballast, { force: true });
  }

  dispose(): void {
    spawnSync('umount', ['-l', this.folder]);
    rmdirSync(this.folder);
  }

  get #ballast(): string {
    return join(this.folder, 'ballast');
  }
}

function fits(file: number, bytes: number): boolean {
  try {
    return writeSync(file, Buffer.alloc(bytes, 1)) === bytes;
  } catch {
    return false;
  }
}
