import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync, type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from '../src/config.js';
import { ensureTinyLinux, type TinyLinuxImage } from '../src/image/tiny-linux.js';
import { findProgram } from '../src/servers/programs.js';
import { waitUntil } from '../src/supervisor/processes.js';

const arm = process.arch === 'arm64';
const qemu = findProgram(arm ? 'qemu-system-aarch64' : 'qemu-system-x86_64');
const machine = arm ? ['-M', 'virt', '-cpu', 'cortex-a57'] : [];

let dir: string;
let guest: ChildProcess | undefined;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'novacron-image-'));
});

afterAll(() => {
  guest?.kill('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
});

function serial(): string {
  try {
    return readFileSync(join(dir, 'serial.log'), 'utf8');
  } catch {
    return ''; // QEMU has not opened it yet
  }
}

function powerDown(socket: string): void {
  const qmp = connect(socket, () => {
    qmp.write('{"execute":"qmp_capabilities"}\n{"execute":"system_powerdown"}\n');
  });
  qmp.on('error', () => undefined); // it closes when the guest is off
  // QEMU serves one client at a time, and the next press needs the socket.
  setTimeout(() => qmp.destroy(), 1_000).unref();
}

// Skipped without QEMU or without Debian packages, where stacks have no zone `local`.
(qemu && findProgram('apt-get') ? describe : describe.skip)('tiny-linux', () => {
  it('is built from downloaded packages without installing them', async () => {
    expect(await ensureTinyLinux(dir, join(repositoryRoot, '.toolchain', 'images'))).toBe(true);
  }, 180_000);

  it('boots under emulation, reports it on its serial console, and ends on its power button', async () => {
    const image = JSON.parse(readFileSync(join(dir, 'tiny-linux', 'image.json'), 'utf8')) as TinyLinuxImage;
    const disk = join(dir, 'disk.qcow2');
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', disk, '64M']);
    const boot = [
      '-kernel',
      join(dir, 'tiny-linux', image.kernel),
      '-initrd',
      join(dir, 'tiny-linux', image.initramfs),
    ];
    const devices = [
      '-drive',
      `file=${disk},if=virtio`,
      '-nic',
      'none',
      '-serial',
      `file:${join(dir, 'serial.log')}`,
    ];
    const control = ['-display', 'none', '-qmp', `unix:${join(dir, 'qmp')},server=on,wait=off`];
    const size = ['-accel', 'tcg', '-m', String(image.minMemory)];
    guest = spawn(qemu ?? '', [
      ...machine,
      ...size,
      ...boot,
      '-append',
      image.cmdline,
      ...devices,
      ...control,
    ]);
    const ended = new Promise((done) => guest?.once('exit', done));
    expect(await waitUntil(async () => serial().includes('NOVACRON-GUEST-UP'), 60_000)).toBe(true);
    // On a slow machine its listener may not have started, so the button is pressed again.
    const pressing = setInterval(() => powerDown(join(dir, 'qmp')), 2_000);
    const code = await ended.finally(() => clearInterval(pressing));
    expect(code).toBe(0);
    expect(serial()).toContain('NOVACRON-GUEST-DOWN');
  });
});
