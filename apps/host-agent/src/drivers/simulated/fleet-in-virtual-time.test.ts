import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { GuestSpec } from '@novacron/contracts/agents';
import { VmId, newId } from '@novacron/contracts/ids';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VirtualClock } from '../../time/clock.js';
import { seededRandom } from '@novacron/async/random';
import { SimulatedDriver, type SimulatedDriverOptions } from './driver.js';
import { parseFailureRates, parseLatencies } from '../../config.js';

const noSignal = new AbortController().signal;

describe('a simulated fleet in virtual time', () => {
  let folder: string;
  let clock: VirtualClock;
  let driver: SimulatedDriver | undefined;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'novacron-fleet-'));
    clock = new VirtualClock();
  });
  afterEach(async () => {
    await driver?.close();
    await rm(folder, { recursive: true });
  });

  async function open(options: Partial<SimulatedDriverOptions> = {}): Promise<SimulatedDriver> {
    driver = await SimulatedDriver.open({
      path: join(folder, 'guests.journal'),
      clock,
      random: seededRandom(1),
      latencies: parseLatencies('0'),
      failureRates: parseFailureRates(''),
      images: ['ubuntu-22.04'],
      capacity: { cpu: 8, memory: 16_384, disk: 100 },
      load: { traces: [], seed: 1 },
      ...options,
    });
    return driver;
  }

  function spec(vmId: VmId = newId()): GuestSpec {
    const config = { cpu: 2, memory: 4_096, disk: 50, image: 'ubuntu-22.04' };
    return { vmId, name: 'web', config, userData: null, sshKeys: [] };
  }

  async function boot(host: SimulatedDriver, guest = spec()): Promise<VmId> {
    await host.create(guest, noSignal);
    await host.start(guest, noSignal);
    return guest.vmId;
  }

  it('takes exactly the configured time for each operation', async () => {
    const host = await open({ latencies: parseLatencies('create=2s,start=500ms') });
    const guest = spec();
    let made = false;
    const creating = host.create(guest, noSignal).then(() => (made = true));
    await clock.advance(1_999);
    expect(made).toBe(false);
    await clock.advance(1);
    await creating;
    expect(made).toBe(true);
  });

  it('reports and notifies when a guest has booted, again after each reset', async () => {
    const host = await open({ latencies: parseLatencies('all=0,boot=3s') });
    const notified: VmId[] = [];
    const vmId = await boot(host);
    host.watch((changed) => notified.push(changed));
    expect(await host.observe(vmId)).toMatchObject({ power: 'running', ready: false });
    expect(await host.consoleLog(vmId, 10_000)).not.toContain('NOVACRON-GUEST-UP');
    await clock.advance(2_999);
    expect(notified).toEqual([]);
    await clock.advance(1);
    expect(notified).toEqual([vmId]);
    expect(await host.observe(vmId)).toMatchObject({ power: 'running', ready: true });
    expect(await host.consoleLog(vmId, 10_000)).toContain('NOVACRON-GUEST-UP');
    await host.reset(vmId, noSignal);
    expect(await host.observe(vmId)).toMatchObject({ ready: false });
    await clock.advance(3_000);
    expect(await host.observe(vmId)).toMatchObject({ ready: true });
    await host.forceStop(vmId, noSignal);
    expect(await host.observe(vmId)).not.toHaveProperty('ready');
  });

  it('notifies when a guest comes up after a restart of its agent, and never for one that does not', async () => {
    const latencies = parseLatencies('all=0,boot=3s');
    const first = await open({ latencies });
    const vmId = await boot(first);
    await first.close();
    const second = await open({ latencies, failureRates: parseFailureRates('boot=100%') });
    const notified: VmId[] = [];
    second.watch((changed) => notified.push(changed));
    const stuck = await boot(second);
    await clock.advance(3_000);
    expect(notified.filter((changed) => changed === vmId)).toHaveLength(1);
    await clock.advance(3_600_000);
    expect(await second.observe(stuck)).toMatchObject({ power: 'running', ready: false });
  });

  it('records user data and keys, and shows on the console that they were applied', async () => {
    const sshKeys = [
      'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ83QEpVfGLH3pU2gN5dTqGk0rKk2J8Jb0mW6xQ7uT2a me@example',
    ];
    const host = await open();
    const vmId = await boot(host, { ...spec(), userData: '#cloud-config\n', sshKeys });
    await host.close();
    const again = await open();
    const log = await again.consoleLog(vmId, 10_000);
    const sha256 = createHash('sha256').update('#cloud-config\n').digest('hex');
    expect(log).toContain(`cloud-init: applied 14 bytes of user data, sha256 ${sha256}\n`);
    expect(log).toMatch(/cloud-init: authorized key SHA256:[A-Za-z0-9+/]{43}\n/);
    expect(await again.consoleLog(await boot(again), 10_000)).not.toContain('cloud-init');
  });

  it('fails at about its rate, in the same way for the same seed', async () => {
    const failures = async () => {
      const host = await open({ failureRates: parseFailureRates('create=20%') });
      const outcomes = [];
      for (let i = 0; i < 500; i++) {
        outcomes.push(
          await host.create(spec(), noSignal).then(
            () => true,
            () => false,
          ),
        );
      }
      await host.close();
      await rm(join(folder, 'guests.journal'));
      return outcomes;
    };
    const first = await failures();
    expect(await failures()).toEqual(first);
    const share = first.filter((worked) => !worked).length / first.length;
    expect(share).toBeGreaterThan(0.15);
    expect(share).toBeLessThan(0.25);
    driver = undefined;
  });

  it('lets a guest ignore its power button when configured', async () => {
    const host = await open({ failureRates: parseFailureRates('powerdown=1') });
    const vmId = await boot(host);
    await host.shutdown(vmId, noSignal);
    await clock.advance(3_600_000);
    expect(await host.observe(vmId)).toMatchObject({ power: 'running' });
    expect(await host.consoleLog(vmId, 10_000)).toContain('power button ignored');
  });

  it('lets a guest finish its shutdown when the agent is killed meanwhile', async () => {
    const host = await open({ latencies: parseLatencies('all=0,powerdown=30s') });
    const vmId = await boot(host);
    await host.shutdown(vmId, noSignal);
    await host.close();
    const again = await open();
    expect(await again.observe(vmId)).toMatchObject({ power: 'running' });
    await clock.advance(30_000);
    expect(await again.observe(vmId)).toMatchObject({ power: 'stopped', reason: 'guest_shutdown' });
  });

  it('notifies when a guest crashes', async () => {
    const host = await open();
    const vmId = await boot(host);
    const notified: VmId[] = [];
    host.watch((changed) => notified.push(changed));
    await host.powerOff(vmId, 'crashed');
    expect(notified).toEqual([vmId]);
    expect(await host.observe(vmId)).toMatchObject({ power: 'stopped', reason: 'crashed' });
  });

  it('gives the same guest the same day, with counters that never fall', async () => {
    const vmId = VmId.parse('0198c2a0-0000-7000-8000-000000000001');
    const day = async () => {
      const host = await open();
      await boot(host, spec(vmId));
      const samples = [];
      for (let minute = 0; minute < 1_440; minute += 30) {
        samples.push(...(await host.samples()));
        await clock.advance(1_800_000);
      }
      await host.close();
      return samples;
    };
    const first = await day();
    await rm(join(folder, 'guests.journal'));
    clock = new VirtualClock();
    expect(await day()).toEqual(first);
    driver = undefined;
    const cpu = first.map(({ values }) => values.cpu_usage ?? -1);
    expect(Math.min(...cpu)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...cpu)).toBeLessThanOrEqual(100);
    expect(Math.max(...cpu) - Math.min(...cpu)).toBeGreaterThan(5);
    for (const counter of ['disk_read_bytes', 'disk_write_bytes', 'network_recv', 'network_sent'] as const) {
      const values = first.map((sample) => sample.values[counter] ?? -1);
      expect(values).toEqual([...values].sort((a, b) => a - b));
    }
  });

  it('plays the VM’s recorded day, line by line', async () => {
    const trace = {
      name: 'a',
      cpu: Array.from({ length: 288 }, (_, i) => i / 3),
      memory: new Array<number>(288).fill(42),
    };
    const host = await open({ load: { traces: [trace], seed: 1 } });
    await boot(host);
    for (const line of [0, 1, 2]) {
      expect((await host.samples())[0]?.values).toMatchObject({ cpu_usage: line / 3, memory_usage: 42 });
      await clock.advance(300_000);
    }
  });
});
