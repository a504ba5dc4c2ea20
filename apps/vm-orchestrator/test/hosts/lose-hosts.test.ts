import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId, type JobId } from '@novacron/contracts/ids';
import { HostListQuery, HostPage } from '@novacron/contracts/infrastructure';
import { setTimeout as sleep } from 'node:timers/promises';
import { downAfterMs, graceMs } from '../../src/hosts/settings.js';
import type { VmRow } from '../../src/vms/row.js';
import { DownDetector } from '../../src/hosts/down-detector.js';
import { HostActions } from '../../src/admission/host-actions.js';
import { HostDirectory } from '../../src/hosts/host-directory.js';
import { readUntil } from '@novacron/testkit/wait';
import { FAST, HostsHarness, OPERATOR, type Orchestrator } from '../support/hosts-harness.js';
import type { FakeAgent } from '../support/fake-agent.js';

let harness: HostsHarness;
let orchestrator: Orchestrator;

beforeAll(async () => {
  harness = await HostsHarness.start();
  orchestrator = await harness.orchestrator();
});
afterAll(() => harness.stop());

async function upAgent(): Promise<FakeAgent> {
  const agent = await harness.agent();
  await agent.register();
  agent.startHeartbeats();
  return agent;
}

const task = (over: Partial<VmRow['task']> = {}) =>
  ({
    jobId: newId<JobId>(),
    kind: 'stop',
    step: 's',
    stepIndex: 0,
    stepCount: 1,
    deadline: new Date().toISOString(),
    ...over,
  }) as VmRow['task'];

const becomes = (agent: FakeAgent, state: string) =>
  readUntil(
    () => harness.hostState(agent.id),
    (now) => now === state,
  );

describe('a host without heartbeats', () => {
  it('is down, and its VMs unknown; after a heartbeat it is up, and its VMs are in the reported states', async () => {
    const agent = await upAgent();
    const running = await harness.vm({ host_id: agent.id, state: 'running' });
    const stopped = await harness.vm({ host_id: agent.id, state: 'stopped' });
    agent.stopHeartbeats();
    await becomes(agent, 'down');
    const lost = await readUntil(
      () => harness.vmRow(running),
      ({ state }) => state === 'unknown',
    );
    expect(lost.conditions).toMatchObject([{ type: 'HostUnreachable', status: 'true' }]);
    expect(await harness.vmRow(stopped)).toMatchObject({ state: 'stopped', version: 1 });
    expect((await harness.events(running)).map(({ type }) => type)).toEqual(['vm.updated']);

    await readUntil(
      () => orchestrator.snapshot.host(agent.id)?.state,
      (state) => state === 'down',
    );
    expect(await agent.heartbeat()).toBe('inventory');
    agent.startHeartbeats();
    expect(await harness.hostState(agent.id)).toBe('up');
    agent.guests.set(running, { power: 'running', incarnation: 1, reason: null });
    agent.guests.set(stopped, { power: 'stopped', incarnation: 1, reason: null });
    await agent.inventory();
    expect(await harness.vmRow(running)).toMatchObject({ state: 'running', conditions: [] });
    expect((await harness.events(agent.id)).map(({ data }) => data['state'])).toEqual(['up', 'down', 'up']);
    agent.stopHeartbeats();
  });

  it('leaves VMs with a live job to that job, with a condition', async () => {
    const agent = await upAgent();
    const stopping = await harness.vm({ host_id: agent.id, state: 'stopping', task: task() });
    agent.stopHeartbeats();
    await becomes(agent, 'down');
    const vm = await readUntil(
      () => harness.vmRow(stopping),
      ({ conditions }) => conditions.length > 0,
    );
    expect(vm).toMatchObject({ state: 'stopping', conditions: [{ type: 'HostUnreachable' }] });
  });

  it('is declared down once, by any number of orchestrators', async () => {
    const others = [await harness.orchestrator(), await harness.orchestrator()];
    const agent = await upAgent();
    const running = await harness.vm({ host_id: agent.id, state: 'running' });
    agent.stopHeartbeats();
    await becomes(agent, 'down');
    await readUntil(
      () => harness.vmRow(running),
      ({ state }) => state === 'unknown',
    );
    await Promise.all([orchestrator, ...others].map((one) => one.get(DownDetector).tick()));
    expect((await harness.events(agent.id)).map(({ data }) => data['state'])).toEqual(['up', 'down']);
    expect(await harness.events(running)).toHaveLength(1);
    for (const other of others) await other.stop();
  });
});

describe('an orchestrator that was away itself', () => {
  it('declares no host down before it could send a heartbeat', async () => {
    const agent = await upAgent();
    agent.stopHeartbeats();
    await orchestrator.stop();
    await harness.sys.primary.batch({}, [
      { statement: { text: `UPDATE heartbeats SET at = now() - interval '1 hour'` } },
    ]);
    orchestrator = await harness.orchestrator();
    for (let i = 0; i < 3; i++) await orchestrator.get(DownDetector).tick();
    expect(await harness.hostState(agent.id)).toBe('up');
    await agent.heartbeat();
    agent.startHeartbeats();
    await sleep(graceMs(FAST) + 500);
    expect(await harness.hostState(agent.id)).toBe('up');
    agent.stopHeartbeats();
  });

  it('declares no host down when NATS was away', async () => {
    const agents = [await upAgent(), await upAgent(), await upAgent()];
    await harness.servers.nats.kill();
    await sleep(2 * downAfterMs(FAST)).finally(() => harness.servers.nats.start());
    await sleep(graceMs(FAST) + 1_000);
    for (const agent of agents) {
      expect(await harness.hostState(agent.id)).toBe('up');
      expect((await harness.events(agent.id)).map(({ data }) => data['state'])).toEqual(['up']);
      agent.stopHeartbeats();
    }
  });
});

describe('a NATS server that is frozen', () => {
  it('makes no host down and no VM unknown; a host that died meanwhile is found afterwards', async () => {
    const alive = [await upAgent(), await upAgent(), await upAgent(), await upAgent()];
    const dead = await upAgent();
    const vms = await Promise.all(alive.map((agent) => harness.vm({ host_id: agent.id, state: 'running' })));
    const pid = harness.servers.nats.pid as number;
    process.kill(pid, 'SIGSTOP');
    dead.stopHeartbeats();
    await sleep(16_000).finally(() => process.kill(pid, 'SIGCONT'));
    await becomes(dead, 'down');
    await sleep(graceMs(FAST));
    for (const agent of alive) {
      expect((await harness.events(agent.id)).map(({ data }) => data['state'])).toEqual(['up']);
      agent.stopHeartbeats();
    }
    for (const vm of vms) expect(await harness.vmRow(vm)).toMatchObject({ state: 'running', version: 1 });
  });
});

describe('a fenced host', () => {
  it('has its unknown VMs stopped as lost, stays fenced over a registration, and is up again after uncordon', async () => {
    const actions = orchestrator.get(HostActions);
    const agent = await upAgent();
    const running = await harness.vm({ host_id: agent.id, state: 'running' });
    await expect(actions.act(OPERATOR, agent.id, 'fence')).rejects.toMatchObject({ code: 'invalid_state' });
    agent.stopHeartbeats();
    await becomes(agent, 'down');
    await actions.act(OPERATOR, agent.id, 'fence');
    expect(await harness.vmRow(running)).toMatchObject({ state: 'stopped', stop_reason: 'host_lost' });

    await agent.register();
    expect(await harness.hostState(agent.id)).toBe('fenced');
    agent.guests.set(running, { power: 'running', incarnation: 1, reason: null });
    await agent.inventory();
    expect(await harness.vmRow(running)).toMatchObject({ state: 'stopped', stop_reason: 'host_lost' });

    const lastHeartbeat = async () => (await harness.lastHeartbeat(agent.id)).getTime();
    const before = await lastHeartbeat();
    agent.startHeartbeats();
    await readUntil(lastHeartbeat, (at) => at > before);
    const { answer: row } = await actions.act(OPERATOR, agent.id, 'uncordon');
    expect(row).toMatchObject({ state: 'up', schedulable: true });
    await agent.inventory();
    expect(await harness.vmRow(running)).toMatchObject({
      state: 'running',
      stop_reason: null,
      conditions: [],
    });
    agent.stopHeartbeats();
  });
});

describe('an operator', () => {
  it('cordons and uncordons a host; a repetition changes nothing', async () => {
    const actions = orchestrator.get(HostActions);
    const agent = await upAgent();
    expect((await actions.act(OPERATOR, agent.id, 'cordon')).answer).toMatchObject({
      schedulable: false,
      state: 'up',
      version: 2,
    });
    expect((await actions.act(OPERATOR, agent.id, 'cordon')).answer).toMatchObject({ version: 2 });
    expect(orchestrator.snapshot.host(agent.id)).toMatchObject({ schedulable: false });
    expect((await actions.act(OPERATOR, agent.id, 'uncordon')).answer).toMatchObject({
      schedulable: true,
      version: 3,
    });
    agent.stopHeartbeats();
  });

  it('gets an error when VMs of a driver without migration would have to be drained', async () => {
    const actions = orchestrator.get(HostActions);
    const agent = await upAgent();
    expect((await actions.act(OPERATOR, agent.id, 'drain')).answer).toMatchObject({ schedulable: false });
    await harness.vm({ host_id: agent.id });
    await expect(actions.act(OPERATOR, agent.id, 'drain')).rejects.toMatchObject({
      code: 'capability_unsupported',
    });
    await expect(actions.act(OPERATOR, newId(), 'cordon')).rejects.toMatchObject({ code: 'not_found' });
    agent.stopHeartbeats();
  });

  it('sees hosts of one zone or state', async () => {
    const directory = orchestrator.get(HostDirectory);
    const hosts = async (query: object) => {
      const { body } = await directory.hosts(OPERATOR, HostListQuery.parse(query));
      return HostPage.parse(JSON.parse(body.json)).items;
    };
    const items = await hosts({ state: 'down' });
    expect(items.length).toBeGreaterThan(0);
    expect(items.every(({ state }) => state === 'down')).toBe(true);
    expect(await hosts({ zone: 'nowhere' })).toEqual([]);
  });
});
