import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { VmId } from '@novacron/contracts/ids';
import { freeze } from '@novacron/testkit/freeze';
import { until } from '@novacron/testkit/wait';
import { spawn } from 'node:child_process';
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { probeAccelerator, runsGuest } from './accelerator.js';
import { boundConsole, readConsole } from './console-file.js';
import type { QemuDriver } from './driver.js';
import { QEMU_PROGRAMS } from './programs.js';
import { qemuIsInstalled, QemuHost } from './qemu-host.harness.js';

const noSignal = new AbortController().signal;
const ifQemu = qemuIsInstalled() ? describe : describe.skip;

ifQemu('a QEMU host in trouble', () => {
  let host: QemuHost;
  let driver: QemuDriver | undefined;
  beforeEach(async () => {
    host = await QemuHost.prepare();
  });
  afterEach(async () => {
    await driver?.close();
    await host.dispose();
  });

  async function boot(): Promise<{ driver: QemuDriver; vmId: VmId }> {
    driver = await host.open();
    const spec = host.spec();
    await driver.create(spec, noSignal);
    await driver.start(spec, noSignal);
    return { driver, vmId: spec.vmId };
  }

  it('reports that QEMU is not installed, and that a retry does not help', async () => {
    driver = await host.open({ qemu: 'no-such-qemu', qemuImg: QEMU_PROGRAMS.qemuImg });
    const spec = host.spec();
    await driver.create(spec, noSignal);
    await expect(driver.start(spec, noSignal)).rejects.toMatchObject({
      code: 'driver_error',
      retryable: false,
      message: 'QEMU is not installed on this host',
    });
    expect(await driver.observe(spec.vmId)).toMatchObject({ power: 'stopped', reason: 'start_failed' });
  });

  it('reports a full disk, and leaves no VM behind', async () => {
    const full = join(host.folder, 'full-disk');
    await writeFile(full, '#!/bin/sh\necho "qemu-img: disk.qcow2: No space left on device" >&2; exit 1\n');
    await chmod(full, 0o755);
    driver = await host.open({ qemu: QEMU_PROGRAMS.qemu, qemuImg: full });
    const spec = host.spec();
    await expect(driver.create(spec, noSignal)).rejects.toMatchObject({ code: 'no_space', retryable: true });
    expect(await driver.list()).toEqual([]);
    await driver.delete(spec.vmId);
  });

  it('refuses user data, which a directly booted kernel would ignore', async () => {
    driver = await host.open();
    const spec = { ...host.spec(), userData: '#cloud-config' };
    await expect(driver.create(spec, noSignal)).rejects.toMatchObject({
      code: 'unsupported',
      retryable: false,
    });
  });

  it('notifies when a QEMU was killed, and reports a crash', async () => {
    const { driver: qemu, vmId } = await boot();
    const notified: VmId[] = [];
    qemu.watch((changed) => notified.push(changed));
    const [guest] = await host.processes();
    process.kill(guest?.pid as number, 'SIGKILL');
    await until(async () => notified.includes(vmId));
    expect(await qemu.observe(vmId)).toMatchObject({ power: 'stopped', reason: 'crashed' });
    expect(await qemu.samples()).toEqual([]);
  });

  it('detects a guest that was killed while no agent ran', async () => {
    const { driver: qemu, vmId } = await boot();
    await qemu.close();
    const [guest] = await host.processes();
    process.kill(guest?.pid as number, 'SIGKILL');
    await until(async () => (await host.processes()).length === 0);
    driver = await host.open();
    expect(await driver.observe(vmId)).toMatchObject({ power: 'stopped', reason: 'crashed', incarnation: 1 });
  });

  it('never ends a process that is not the guest, although the pid file names it', async () => {
    const { driver: qemu, vmId } = await boot();
    await qemu.forceStop(vmId);
    const stranger = spawn('sleep', ['60']);
    await writeFile(join(host.folder, 'vms', vmId, 'qemu.pid'), String(stranger.pid));
    expect(await qemu.observe(vmId)).toMatchObject({ power: 'stopped' });
    await qemu.forceStop(vmId);
    await qemu.delete(vmId);
    expect(stranger.exitCode).toBeNull();
    expect(stranger.signalCode).toBeNull();
    stranger.kill();
  });

  it('still reports a guest whose monitor hangs, and ends it', async () => {
    const { driver: qemu, vmId } = await boot();
    const [guest] = await host.processes();
    freeze(guest?.pid);
    const ready = expect.any(Boolean);
    expect(await qemu.list()).toEqual([{ vmId, power: 'running', incarnation: 1, reason: null, ready }]);
    await qemu.forceStop(vmId);
    expect(await host.processes()).toEqual([]);
    expect(await qemu.observe(vmId)).toMatchObject({ power: 'stopped', reason: 'forced' });
  });

  it('finishes the reboot of a killed agent', async () => {
    const { driver: qemu, vmId } = await boot();
    const folder = join(host.folder, 'vms', vmId);
    await qemu.forceStop(vmId);
    await qemu.close();
    const record = JSON.parse(await readFile(join(folder, 'vm.json'), 'utf8')) as object;
    await writeFile(join(folder, 'vm.json'), JSON.stringify({ ...record, rebooting: true }));
    driver = await host.open();
    await driver.reboot(vmId, 10_000, noSignal);
    expect(await driver.observe(vmId)).toMatchObject({ power: 'running', incarnation: 2 });
  });

  it('works in a folder whose path is longer than a socket address', async () => {
    driver = await host.open(QEMU_PROGRAMS, 'x'.repeat(120));
    const spec = host.spec();
    await driver.create(spec, noSignal);
    await driver.start(spec, noSignal);
    expect(await driver.observe(spec.vmId)).toMatchObject({ power: 'running' });
    await driver.delete(spec.vmId);
  });
});

ifQemu('the accelerator', () => {
  it('is used only when a guest boots in time', async () => {
    expect(await runsGuest(QEMU_PROGRAMS.qemu, 'tcg', 60_000)).toBe(true);
    expect(await runsGuest(QEMU_PROGRAMS.qemu, 'tcg', 1)).toBe(false);
    expect(await runsGuest('no-such-qemu', 'kvm', 1_000)).toBe(false);
  });

  it('is emulation after the deadline', async () => {
    const startedAt = Date.now();
    expect(['kvm', 'tcg']).toContain(await probeAccelerator(QEMU_PROGRAMS.qemu));
    expect(Date.now() - startedAt).toBeLessThan(30_000);
  });
});

describe('a console file', () => {
  it('is truncated when it has grown, and its end stays readable', async () => {
    const host = await QemuHost.prepare();
    try {
      const text = `${'old line\n'.repeat(200_000)}the end\n`;
      await writeFile(join(host.folder, 'console.log'), text);
      await boundConsole(host.folder);
      expect((await stat(join(host.folder, 'console.log'))).size).toBe(0);
      await writeFile(join(host.folder, 'console.log'), 'and on\n');
      expect(await readConsole(host.folder, 100)).toMatch(/old line\nthe end\nand on\n$/);
      expect(await readConsole(host.folder, 4)).toBe(' on\n');
    } finally {
      await host.dispose();
    }
  });
});
