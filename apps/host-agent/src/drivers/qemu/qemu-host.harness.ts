import type { GuestSpec } from '@novacron/contracts/agents';
import { newId } from '@novacron/contracts/ids';
import { ensureTinyLinux } from '@novacron/local-stack/image/tiny-linux';
import { testHome } from '@novacron/testkit/test-home';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../time/clock.js';
import { QemuDriver } from './driver.js';
import { findProcesses } from './proc.js';
import { QEMU_PROGRAMS } from './programs.js';

export function qemuIsInstalled(): boolean {
  return [QEMU_PROGRAMS.qemu, QEMU_PROGRAMS.qemuImg].every(
    (file) => spawnSync(file, ['--version']).status === 0,
  );
}

/** The folder with tiny-linux, built once for all test files. */
export async function testImages(): Promise<string> {
  const images = join(testHome(), 'images');
  if (await ensureTinyLinux(images, join(testHome(), 'image-cache'))) return images;
  throw new Error('tiny-linux cannot be built here');
}

/** A QEMU host for one test, under emulation. */
export class QemuHost {
  private constructor(
    readonly folder: string,
    private readonly imagesFolder: string,
  ) {}

  /** @param parent the parent of the host's folder */
  static async prepare(parent = tmpdir()): Promise<QemuHost> {
    return new QemuHost(await mkdtemp(join(parent, 'novacron-qemu-')), await testImages());
  }

  open = (programs = QEMU_PROGRAMS, name = 'vms'): Promise<QemuDriver> =>
    QemuDriver.open({
      folder: join(this.folder, name),
      imagesFolder: this.imagesFolder,
      diskReserveGib: 0,
      accelerator: 'tcg',
      programs,
      clock: systemClock,
      onWarning: () => undefined,
    });

  spec = (): GuestSpec => ({
    vmId: newId(),
    name: 'tiny-1',
    config: { cpu: 1, memory: 128, disk: 1, image: 'tiny-linux' },
    userData: null,
    sshKeys: [],
  });

  /** The processes of this host's guests. */
  processes = () => findProcesses(['qemu-system', this.folder]);

  dispose = async (): Promise<void> => {
    for (const { pid } of await this.processes()) process.kill(pid, 'SIGKILL');
    await rm(this.folder, { recursive: true });
  };
}
