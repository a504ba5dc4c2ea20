import { spawn } from 'node:child_process';
import { access, constants, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type Accelerator = 'kvm' | 'tcg';

/** Emulation boots the sector in about 0.2 s. Hardware that takes longer than this brings no benefit. */
const DEADLINE_MS = 3_000;
const DISK_BYTES = 1_048_576;
/** isa-debug-exit ends QEMU with (value << 1) | 1. */
const EXIT_VALUE = 0x10;
const EXIT_CODE = (EXIT_VALUE << 1) | 1;

/**
 * Whether KVM really runs guests here. /dev/kvm can exist and open while QEMU aborts, or while guests hang when they leave
 * real mode. With the guests' processor, the firmware must boot a sector with `mov al, 0x10; out 0xf4, al` in time, which
 * ends QEMU. Otherwise guests are emulated.
 */
export async function probeAccelerator(qemu: string): Promise<Accelerator> {
  if (process.arch !== 'x64' || !(await canOpen('/dev/kvm'))) return 'tcg';
  return (await runsGuest(qemu, 'kvm', DEADLINE_MS)) ? 'kvm' : 'tcg';
}

/** @param deadlineMs after this time the guest counts as not running */
export async function runsGuest(
  qemu: string,
  accelerator: Accelerator,
  deadlineMs: number,
): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'novacron-probe-'));
  try {
    const disk = join(folder, 'disk.raw');
    await writeFile(disk, bootDisk());
    return (await exitCode(qemu, disk, accelerator, deadlineMs)) === EXIT_CODE;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function bootDisk(): Buffer {
  const disk = Buffer.alloc(DISK_BYTES);
  disk.set([0xb0, EXIT_VALUE, 0xe6, 0xf4, 0xf4]);
  disk.set([0x55, 0xaa], 510);
  return disk;
}

/** QEMU's arguments for an accelerator, for guests and for the probe. */
export function processorOf(accelerator: Accelerator): readonly string[] {
  return accelerator === 'kvm' ? ['-cpu', 'host'] : [];
}

function exitCode(
  qemu: string,
  disk: string,
  accelerator: Accelerator,
  deadlineMs: number,
): Promise<number | null> {
  const args = ['-machine', `pc,accel=${accelerator}`, ...processorOf(accelerator), '-m', '16'];
  const devices = [
    '-nodefaults',
    '-no-user-config',
    '-display',
    'none',
    '-nic',
    'none',
    '-drive',
    `file=${disk},format=raw,if=ide`,
    '-device',
    'isa-debug-exit,iobase=0xf4,iosize=0x04',
  ];
  return new Promise((resolve) => {
    const child = spawn(qemu, [...args, ...devices], { stdio: 'ignore' });
    const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs);
    const end = (code: number | null) => {
      clearTimeout(timer);
      resolve(code);
    };
    child.once('error', () => end(null));
    child.once('exit', end);
  });
}

async function canOpen(path: string): Promise<boolean> {
  return access(path, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
}
