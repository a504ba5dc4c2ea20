import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { GuestSpec } from '@novacron/contracts/agents';
import { newId } from '@novacron/contracts/ids';
import { AgentUnderTest } from './agent-under-test.js';

function guest(): GuestSpec {
  const config = { cpu: 2, memory: 4_096, disk: 50, image: 'ubuntu-22.04' };
  return { vmId: newId(), name: 'web-1', config, userData: null, sshKeys: [] };
}

describe('a host agent on NATS', () => {
  let under: AgentUnderTest;
  beforeAll(async () => {
    under = await AgentUnderTest.prepare(2);
  });
  afterEach(() => under.end('SIGKILL'));
  afterAll(() => under.stop());

  async function running(): Promise<GuestSpec> {
    const spec = guest();
    await under.orchestrator.command(under.host, spec.vmId, { kind: 'create', spec });
    const reply = await under.orchestrator.command(under.host, spec.vmId, { kind: 'start', spec });
    expect(reply).toMatchObject({ outcome: 'done', fact: { power: 'running', incarnation: 1 } });
    return spec;
  }

  it('registers every host with its capabilities, sends heartbeats, and reports all VMs', async () => {
    under.start();
    await under.registered();
    const { body } = under.orchestrator.registered[0] ?? {};
    expect(body).toMatchObject({ zone: 'sim', driver: 'simulated', labels: { rack: 'a' } });
    expect(body?.images).toContain('ubuntu-22.04');
    expect(body).toMatchObject({ overcommit: { cpu: 1, disk: 1 }, physical: body?.capacity });
    await under.until(() => under.orchestrator.heartbeats.length > 3);
    expect(under.orchestrator.heartbeats.at(-1)?.body.physical).toEqual(body?.physical);
    under.orchestrator.needed = 'register';
    const [host = ''] = under.hosts;
    const registered = under.orchestrator.registered.length;
    await under.until(() => under.orchestrator.registered.length > registered);
    const notified = under.orchestrator.inventories.length;
    await under.nc.request(`agents.${host}.inventory`, '{}', { timeout: 2_000 });
    await under.until(() => under.orchestrator.inventories.length > notified);
  });

  it('knows its VMs, fences and successes after a kill -9', async () => {
    under.start();
    await under.registered();
    const spec = guest();
    const { vmId } = spec;
    await under.orchestrator.command(under.host, vmId, { kind: 'create', spec });
    const start = { commandId: 'job-1:start', fence: 5 };
    await under.orchestrator.command(under.host, vmId, { kind: 'start', spec }, start);
    await under.end('SIGKILL');
    under.start();
    await under.registered();
    const inventory = under.orchestrator.inventories.findLast((notified) => notified.hostId === under.host);
    expect(inventory?.body.facts).toContainEqual({
      vmId,
      power: 'running',
      incarnation: 1,
      reason: null,
      ready: true,
    });
    const old = await under.orchestrator.command(under.host, vmId, { kind: 'delete' }, { fence: 4 });
    expect(old).toMatchObject({ outcome: 'fenced' });
    const again = await under.orchestrator.command(under.host, vmId, { kind: 'start', spec }, start);
    expect(again).toMatchObject({ outcome: 'done', fact: { power: 'running', incarnation: 1 } });
  });

  it('reports a guest that powers off after its button was pressed', async () => {
    under.start();
    await under.registered();
    const { vmId } = await running();
    const notified = await under.orchestrator.command(under.host, vmId, { kind: 'shutdown' });
    expect(notified).toMatchObject({ outcome: 'done', fact: { power: 'running' } });
    const off = () =>
      under.orchestrator.reports.flatMap(({ body }) => body.facts).find((fact) => fact.vmId === vmId);
    await under.until(() => off() !== undefined);
    expect(off()).toMatchObject({ power: 'stopped', reason: 'guest_shutdown' });
  });

  it('answers accepted to a long command, and announces its end', async () => {
    under.start({ NOVACRON_AGENT_SIM_LATENCY: 'create=1800ms' });
    await under.registered();
    const spec = guest();
    const ask = () =>
      under.orchestrator.command(
        under.host,
        spec.vmId,
        { kind: 'create', spec },
        { commandId: 'job-2:create' },
      );
    expect(await ask()).toMatchObject({ outcome: 'accepted' });
    await under.until(() => under.orchestrator.ended.some(({ commandId }) => commandId === 'job-2:create'));
    expect(await ask()).toMatchObject({ outcome: 'done', fact: { power: 'stopped' } });
  });

  it('registers again when NATS was away, while its guests continue', async () => {
    under.start();
    await under.registered();
    const { vmId } = await running();
    under.mark();
    await under.servers.nats.kill();
    await under.servers.nats.start();
    await under.registered();
    const reply = await under.orchestrator.command(under.host, vmId, { kind: 'observe' });
    expect(reply).toMatchObject({ outcome: 'done', fact: { power: 'running', incarnation: 1 } });
  });

  it('is ready when its hosts are registered, and drains on SIGTERM with exit code 0', async () => {
    under.start();
    await under.registered();
    const ops = `http://127.0.0.1:${under.servers.agentEnv()['NOVACRON_OPS_PORT']}`;
    await under.until(async () => (await fetch(`${ops}/ready`)).ok);
    await running();
    const metrics = await (await fetch(`${ops}/metrics`)).text();
    expect(metrics).toMatch(/novacron_agent_commands_total\{kind="start",outcome="done"\} 1/);
    expect(await under.end('SIGTERM')).toBe(0);
  });
});
