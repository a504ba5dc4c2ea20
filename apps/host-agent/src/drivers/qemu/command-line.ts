import { join } from 'node:path';
import { processorOf, type Accelerator } from './accelerator.js';
import type { GuestRecord } from './guest-record.js';
import type { QemuImage } from './images.js';

/** Marks in a guest's command line that identify its process before it is ended. */
export function marksOf(folder: string, vmId: string): readonly string[] {
  return [`guest=${vmId}`, join(folder, 'qemu.pid')];
}

/**
 * QEMU's arguments for a guest, for the VM's folder. QEMU detaches itself, so that guests outlive the agent. Guests have no
 * network yet.
 */
export function commandLine(
  folder: string,
  { vmId, config }: GuestRecord,
  image: QemuImage,
  accelerator: Accelerator,
): string[] {
  const machine = process.arch === 'arm64' ? 'virt' : 'pc';
  return [
    '-name',
    `guest=${vmId}`,
    '-uuid',
    vmId,
    '-machine',
    `${machine},accel=${accelerator}`,
    ...processorOf(accelerator),
    '-smp',
    String(config.cpu),
    '-m',
    `${config.memory}M`,
    '-nodefaults',
    '-no-user-config',
    '-display',
    'none',
    '-nic',
    'none',
    '-kernel',
    image.kernel,
    '-initrd',
    image.initramfs,
    '-append',
    image.cmdline,
    '-drive',
    'file=disk.qcow2,format=qcow2,if=none,id=disk0,discard=unmap',
    '-device',
    // An I/O error pauses the guest until it is resumed: its file system does not receive the error, and stays intact.
    'virtio-blk-pci,drive=disk0,rerror=stop,werror=stop',
    '-action',
    'panic=pause',
    ...(machine === 'pc' ? ['-device', 'pvpanic'] : []),
    '-chardev',
    'file,id=serial0,path=console.log,append=on',
    '-serial',
    'chardev:serial0',
    '-qmp',
    'unix:qmp.sock,server=on,wait=off',
    '-pidfile',
    join(folder, 'qemu.pid'),
    '-daemonize',
  ];
}
