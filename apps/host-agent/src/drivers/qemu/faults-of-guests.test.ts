import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { GUEST_FAULTS, type GuestFault, type VmFact } from '@novacron/contracts/agents';
import type { VmId } from '@novacron/contracts/ids';
import { until } from '@novacron/testkit/wait';
import { execFile } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SmallDisk } from '@novacron/testkit/small-disk';
import type { QemuDriver } from './driver.js';
import { QEMU_PROGRAMS } from './programs.js';
import { qemuIsInstalled, QemuHost } from './qemu-host.harness.js';
import { runStateOf } from './run-state.js';

const noSignal = new AbortController().signal;
const run = promisify(execFile);
const ifQemu = qemuIsInstalled() && process.arch === 'x64' ? describe : describe.skip;
const probe = SmallDisk.mount(1);
probe?.dispose();
const ifDisk = probe ? it : it.skip;

/** Boot sectors: guests in machine code with one action each. */
const GUESTS = {
  /** out 0x505, 1: the port of pvpanic, as a kernel that panics writes it. */
  panics: [0xba, 0x05, 0x05, 0xb0, 0x01, 0xee, 0xf4, 0xeb, 0xfd],
  /** int 0x13, ah 0x43, repeatedly, each time 128 KiB further: each write allocates new clusters of the disk. */
  writes: [
    ...Buffer.from(
      '31c08ed8be187cb80043cd13' + '6681440800010000ebf1f490' + '10000100007c00000001000000000000',
      'hex',
    ),
  ],
};

ifQemu('a guest that QEMU pauses', () => {
  let host: QemuHost;
  let disk: SmallDisk | undefined;
  let driver: QemuDriver;
  afterEach(async () => {
    disk?.empty();
    await driver.close();
    await host.dispose();
    disk?.dispose();
    disk = undefined;
  });
  beforeEach(async () => {
    host = await QemuHost.prepare();
  });

  /** Boots the code from the disk of the VM instead of a kernel; `edit` changes the arguments with sed. */
  async function boot(code: readonly number[], edit = ''): Promise<VmId> {
    const wrapper = join(host.folder, 'qemu.sh');
    const script = `#!/bin/bash
args=()
while [ $# -gt 0 ]; do
  case "$1" in -kernel|-initrd|-append) shift 2;; *) args+=("$(sed -e '${edit}' <<<"$1")"); shift;; esac
done
exec ${QEMU_PROGRAMS.qemu} "\${args[@]}"
`;
    await writeFile(wrapper, script);
    await chmod(wrapper, 0o755);
    driver = await host.open({ qemu: wrapper, qemuImg: QEMU_PROGRAMS.qemuImg });
    const spec = host.spec();
    await driver.create(spec, noSignal);
    const folder = join(host.folder, 'vms', spec.vmId);
    const sector = Buffer.alloc(512);
    sector.set(code);
    sector.set([0x55, 0xaa], 510);
    await writeFile(join(folder, 'sector'), sector);
    await run('qemu-io', ['-f', 'qcow2', '-c', 'write -s sector 0 512', 'disk.qcow2'], { cwd: folder });
    await writeFile(join(folder, 'blkdebug.conf'), '[inject-error]\nevent = "read_aio"\nerrno = "5"\n');
    await driver.start(spec, noSignal);
    return spec.vmId;
  }

  async function paused(vmId: VmId, reason: GuestFault): Promise<void> {
    let fact: VmFact | undefined;
    await until(
      async () => (fact = await driver.observe(vmId)).power === 'paused',
      undefined,
      () => JSON.stringify(fact),
    );
    expect(fact).toMatchObject({ power: 'paused', reason, incarnation: 1 });
  }

  it('reports a kernel panic, refuses to resume, and can be reset', async () => {
    const notified: VmId[] = [];
    const vmId = await boot(GUESTS.panics);
    driver.watch((changed) => notified.push(changed));
    await paused(vmId, 'guest_panicked');
    await expect(driver.resume(vmId, noSignal)).rejects.toMatchObject({
      code: 'guest_panicked',
      retryable: false,
      message: GUEST_FAULTS.guest_panicked,
    });
    await driver.reset(vmId, noSignal);
    expect((await driver.observe(vmId)).power).toBe('running');
    expect(notified).toContain(vmId);
    await driver.forceStop(vmId);
    expect(await driver.observe(vmId)).toMatchObject({ power: 'stopped', reason: 'forced' });
  });

  it('reports a failing disk, also to a later agent, and fails to resume for that reason', async () => {
    const vmId = await boot(GUESTS.panics, 's/^file=disk.qcow2/file=blkdebug:blkdebug.conf:disk.qcow2/');
    await paused(vmId, 'io_error');
    await expect(driver.resume(vmId, noSignal)).rejects.toMatchObject({
      code: 'io_error',
      message: GUEST_FAULTS.io_error,
    });
    await driver.close();
    driver = await host.open();
    await paused(vmId, 'io_error');
    await driver.delete(vmId);
    expect(await host.processes()).toEqual([]);
  });

  ifDisk('because its host is full says so, and goes on where it was once there is space', async () => {
    await host.dispose();
    disk = SmallDisk.mount(64) as SmallDisk;
    host = await QemuHost.prepare(disk.folder);
    const vmId = await boot(GUESTS.writes);
    await disk.fill();
    await paused(vmId, 'no_space');
    await expect(driver.resume(vmId, noSignal)).rejects.toMatchObject({ code: 'no_space' });
    disk.empty();
    await driver.resume(vmId, noSignal);
    await driver.forceStop(vmId);
  });
});

describe('a run state of QEMU', () => {
  const seen = (status: string, ioStatus = 'ok') =>
    runStateOf({
      execute: async (command) => (command === 'query-status' ? { status } : [{ 'io-status': ioStatus }, {}]),
    });

  it.each([
    ['running', 'ok', { power: 'running', fault: null }],
    ['paused', 'ok', { power: 'paused', fault: null }],
    ['prelaunch', 'ok', { power: 'paused', fault: null }],
    ['io-error', 'failed', { power: 'paused', fault: 'io_error' }],
    ['io-error', 'nospace', { power: 'paused', fault: 'no_space' }],
    ['guest-panicked', 'ok', { power: 'paused', fault: 'guest_panicked' }],
    ['internal-error', 'ok', { power: 'paused', fault: 'internal_error' }],
    ['watchdog', 'ok', { power: 'paused', fault: 'watchdog' }],
  ] as const)('that is %s, disks %s, is read right', async (status, ioStatus, expected) => {
    expect(await seen(status, ioStatus)).toEqual(expected);
  });
});
