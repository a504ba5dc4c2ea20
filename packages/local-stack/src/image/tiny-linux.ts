import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { aptGet } from '../servers/install.js';
import { findProgram } from '../servers/programs.js';
import { withFileLock } from '../supervisor/file-lock.js';
import { characterDevice, cpio, type CpioEntry, directory, program, symlink } from './cpio.js';
import { kernelPackages, unpackPackages } from './debian-package.js';
import { init, load, powerButton } from './guest-init.js';
import { type KernelModule, modulesInLoadingOrder } from './kernel-modules.js';

/** image.json, from which a QEMU driver boots the image directly. File names are relative to it. */
export interface TinyLinuxImage {
  readonly name: 'tiny-linux';
  /** increases with every change of the recipe */
  readonly recipe: number;
  readonly arch: string;
  readonly kernel: string;
  readonly initramfs: string;
  readonly cmdline: string;
  /** least memory of a guest, MiB */
  readonly minMemory: number;
}

const recipe = 2;
const files = ['vmlinuz', 'initramfs.gz', 'image.json'];
const wantedModules = [
  'button',
  'evdev',
  'virtio_pci',
  'virtio_mmio',
  'virtio_blk',
  'virtio_net',
  'virtio_balloon',
];

function description(): TinyLinuxImage {
  const console = process.arch === 'arm64' ? 'ttyAMA0' : 'ttyS0';
  return {
    name: 'tiny-linux',
    recipe,
    arch: process.arch === 'arm64' ? 'aarch64' : 'x86_64',
    kernel: 'vmlinuz',
    initramfs: 'initramfs.gz',
    cmdline: `console=${console} quiet panic=10 tsc=unstable`,
    minMemory: 96,
  };
}

function isCurrent(dir: string): boolean {
  try {
    const image = JSON.parse(readFileSync(join(dir, 'image.json'), 'utf8')) as Partial<TinyLinuxImage>;
    return image.recipe === recipe && files.every((file) => existsSync(join(dir, file)));
  } catch {
    return false; // not built yet, or a partial file
  }
}

function initramfs(busybox: Buffer, modules: readonly KernelModule[]): Buffer {
  const folders = [
    'bin',
    'dev',
    'etc',
    'etc/acpi',
    'etc/acpi/PWRF',
    'lib',
    'lib/modules',
    'proc',
    'sys',
    'tmp',
  ];
  const applets = [
    'sh',
    'acpid',
    'cat',
    'dd',
    'echo',
    'hostname',
    'insmod',
    'ip',
    'mount',
    'poweroff',
    'sleep',
  ];
  const entries: CpioEntry[] = [
    ...folders.map(directory),
    characterDevice('dev/console', 5, 1),
    program('bin/busybox', busybox),
    ...applets.map((applet) => symlink(`bin/${applet}`, 'busybox')),
    program('init', init),
    program('bin/load', load),
    program('etc/acpi/PWRF/00000080', powerButton),
    program('lib/modules/order', `${modules.map((module) => module.name).join('\n')}\n`),
    ...modules.map((module) => program(`lib/modules/${module.name}.ko`, module.data)),
  ];
  return gzipSync(cpio(entries), { level: 6 });
}

async function build(target: string, kernel: readonly string[]): Promise<void> {
  const work = mkdtempSync(`${target}.work-`);
  chmodSync(work, 0o755); // apt's own user downloads into it
  try {
    await unpackPackages([...kernel, 'busybox-static'], work);
    const busybox = [join(work, 'bin/busybox'), join(work, 'usr/bin/busybox')].find((path) =>
      existsSync(path),
    );
    const vmlinuz = readdirSync(join(work, 'boot')).find((name) => name.startsWith('vmlinuz'));
    const libModules = [join(work, 'lib/modules'), join(work, 'usr/lib/modules')].find((path) =>
      existsSync(path),
    );
    if (!busybox || !vmlinuz || !libModules)
      throw new Error(`${kernel.join(', ')} contain no kernel with modules`);
    const modules = modulesInLoadingOrder(libModules, wantedModules, busybox);
    const fresh = join(work, 'image');
    mkdirSync(fresh);
    copyFileSync(join(work, 'boot', vmlinuz), join(fresh, 'vmlinuz'));
    writeFileSync(join(fresh, 'initramfs.gz'), initramfs(readFileSync(busybox), modules));
    writeFileSync(join(fresh, 'image.json'), `${JSON.stringify(description(), null, 2)}\n`);
    rmSync(target, { recursive: true, force: true });
    renameSync(fresh, target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Builds the image in `cache` when it is missing. False without apt or without a kernel package. */
async function ensureCached(cache: string): Promise<boolean> {
  const target = join(cache, 'tiny-linux');
  mkdirSync(cache, { recursive: true });
  return withFileLock(`${target}.lock`, 300_000, async () => {
    if (isCurrent(target)) return true;
    if (!findProgram('apt-get') || !findProgram('dpkg-deb')) return false;
    let kernel = await kernelPackages();
    if (kernel.length === 0 && process.getuid?.() === 0) {
      await aptGet(['update', '-q']); // a fresh container has no package lists
      kernel = await kernelPackages();
    }
    if (kernel.length === 0) return false;
    await build(target, kernel);
    return true;
  });
}

/** True when `images` already holds the current image. */
export function hasTinyLinux(images: string): boolean {
  return isCurrent(join(images, 'tiny-linux'));
}

/**
 * Puts tiny-linux into `images` (vmlinuz, initramfs.gz, image.json). It is built once per machine and kept in `cache`.
 * False when it cannot be built because there are no Debian or Ubuntu packages.
 */
export async function ensureTinyLinux(images: string, cache: string): Promise<boolean> {
  if (hasTinyLinux(images)) return true;
  if (!(await ensureCached(cache))) return false;
  const target = join(images, 'tiny-linux');
  mkdirSync(target, { recursive: true });
  for (const file of files) copyFileSync(join(cache, 'tiny-linux', file), join(target, file));
  return true;
}
