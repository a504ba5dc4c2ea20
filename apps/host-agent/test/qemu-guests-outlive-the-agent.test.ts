import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { jetstream } from '@nats-io/jetstream';
import type { GuestSpec } from '@novacron/contracts/agents';
import { newId } from '@novacron/contracts/ids';
import { MetricBatch } from '@novacron/contracts/metrics';
import { findProcesses } from '../src/drivers/qemu/proc.js';
import { qemuIsInstalled, testImages } from '../src/drivers/qemu/qemu-host.harness.js';
import { AgentUnderTest } from './agent-under-test.js';

(qemuIsInstalled() ? describe : describe.skip)('a host agent with QEMU', () => {
  let under: AgentUnderTest;
  const config = { cpu: 1, memory: 128, disk: 1, image: 'tiny-linux' };
  const spec: GuestSpec = { vmId: newId(), name: 'tiny-1', config, userData: null, sshKeys: [] };
  const { vmId } = spec;
  const guests = () => findProcesses([`guest=${vmId}`, under.folder]);

  beforeAll(async () => {
    under = await AgentUnderTest.prepare(1);
  });
  afterAll(async () => {
    for (const { pid } of await guests()) process.kill(pid, 'SIGKILL');
    await under.stop();
  });

  async function start(): Promise<void> {
    const env = {
      NOVACRON_AGENT_DRIVER: 'qemu',
      NOVACRON_AGENT_ZONE: 'local',
      NOVACRON_AGENT_QEMU_ACCEL: 'tcg',
    };
    under.start({ ...env, NOVACRON_AGENT_IMAGES_DIR: await testImages() });
    await under.registered();
  }

  it('offers the existing images', async () => {
    await start();
    expect(under.orchestrator.registered.at(-1)?.body).toMatchObject({
      driver: 'qemu',
      zone: 'local',
      images: ['tiny-linux'],
      capabilities: expect.arrayContaining(['direct-kernel']),
    });
  });

  it('runs a guest in a process with its id, and publishes its CPU', async () => {
    await under.orchestrator.command(under.host, vmId, { kind: 'create', spec });
    const started = await under.orchestrator.command(under.host, vmId, { kind: 'start', spec });
    expect(started).toMatchObject({ outcome: 'done', fact: { power: 'running', incarnation: 1 } });
    expect(await guests()).toHaveLength(1);
    const consumer = await jetstream(under.nc).consumers.get('METRICS');
    const message = await consumer.next({ expires: 45_000 });
    const batch = MetricBatch.parse(message?.json());
    expect(batch.vmIds).toEqual([vmId]);
    const cpu = batch.value[batch.metric.indexOf(batch.metrics.indexOf('cpu_usage'))];
    expect(cpu).toBeGreaterThan(0);
  });

  it('finds the same process of the guest after a kill -9, and can stop it', async () => {
    const before = await guests();
    await under.end('SIGKILL');
    expect(await guests()).toEqual(before);
    await start();
    const inventory = under.orchestrator.inventories.at(-1);
    expect(inventory?.body.facts).toEqual([
      { vmId, power: 'running', incarnation: 1, reason: null, ready: expect.any(Boolean) },
    ]);
    expect(await guests()).toEqual(before);
    process.kill(before[0]?.pid as number, 'SIGKILL');
    await under.until(() =>
      under.orchestrator.reports.some(({ body }) => body.facts.some(({ reason }) => reason === 'crashed')),
    );
  });

  it('leaves no process and no file after a delete', async () => {
    const again = await under.orchestrator.command(under.host, vmId, { kind: 'start', spec });
    expect(again).toMatchObject({ outcome: 'done', fact: { incarnation: 2 } });
    const gone = await under.orchestrator.command(under.host, vmId, { kind: 'delete' });
    expect(gone).toMatchObject({ outcome: 'done', fact: { power: 'absent' } });
    expect(await guests()).toEqual([]);
    expect(await under.end('SIGTERM')).toBe(0);
  });
});
