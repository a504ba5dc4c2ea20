import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Condition } from '@novacron/contracts/common';
import type { HostId } from '@novacron/contracts/ids';
import type { ReportedCondition } from '@novacron/contracts/infrastructure';
import { applyHostEffects } from '../../src/hosts/capacity.js';
import { eventually } from '@novacron/testkit/wait';
import { HostConditions } from '../../src/hosts/conditions.js';
import { HostDirectory } from '../../src/hosts/host-directory.js';
import { HostsHarness, OPERATOR, type Orchestrator } from '../support/hosts-harness.js';

const FULL: ReportedCondition = { type: 'StorageFull', reason: 'NoSpace', message: 'no space for VMs' };

let harness: HostsHarness;
let orchestrator: Orchestrator;

beforeAll(async () => {
  harness = await HostsHarness.start();
  orchestrator = await harness.orchestrator();
});
afterAll(() => harness.stop());

const conditionsOf = async (id: HostId) =>
  (await orchestrator.get(HostDirectory).host(OPERATOR, id)).body.conditions;

describe('a host', () => {
  it('has the conditions that its agent reports, with one event for each change', async () => {
    const agent = await harness.agent();
    await agent.register();
    agent.conditions = [FULL];
    for (let beat = 0; beat < 3; beat++) await agent.heartbeat();
    const [full] = await conditionsOf(agent.id);
    expect(Condition.parse(full)).toMatchObject({ ...FULL, status: 'true' });
    agent.conditions = undefined;
    await agent.heartbeat();
    expect(await conditionsOf(agent.id)).toEqual([full]);
    agent.conditions = [];
    await agent.heartbeat();
    expect(await conditionsOf(agent.id)).toEqual([]);
    expect((await harness.events(agent.id)).map(({ data }) => data['conditions'])).toEqual([[], [full], []]);
  });

  it('keeps the conditions of the orchestrator when its agent reports none', async () => {
    const agent = await harness.agent();
    await agent.register();
    await orchestrator.get(HostConditions).set(agent.id, 'ClockSkewed', { reason: 'Ahead', message: '60 s' });
    agent.conditions = [];
    await agent.heartbeat();
    expect(await conditionsOf(agent.id)).toMatchObject([{ type: 'ClockSkewed' }]);
    await orchestrator.get(HostConditions).clear(agent.id, 'ClockSkewed');
    expect(await conditionsOf(agent.id)).toEqual([]);
  });

  it.each([
    ['Ahead', 3_600_000],
    ['Behind', -31_000],
  ])('has the condition ClockSkewed while its clock is wrong: %s', async (reason, aheadMs) => {
    const agent = await harness.agent();
    await agent.register();
    agent.clockAheadMs = aheadMs;
    await agent.heartbeat();
    // One heartbeat may be late by itself.
    expect(await conditionsOf(agent.id)).toEqual([]);
    await eventually(async () => {
      await agent.heartbeat();
      expect(await conditionsOf(agent.id)).toMatchObject([{ type: 'ClockSkewed', status: 'true', reason }]);
    });
    await agent.heartbeat();
    agent.clockAheadMs = 100;
    await agent.heartbeat();
    expect(await conditionsOf(agent.id)).toEqual([]);
    expect((await harness.events(agent.id)).length).toBe(3);
  });

  it('gets no new VM while a condition blocks placement, and does again afterwards', async () => {
    const agent = await harness.agent();
    await agent.register();
    const vm = await harness.vmRow(await harness.vm({ host_id: agent.id }));
    const reserve = async () => {
      const { result } = await harness.sys.transaction({}, (tx) =>
        applyHostEffects(tx, [{ effect: 'reserve', hostId: agent.id, vm }], new Date()),
      );
      return result.refused.size === 0;
    };
    agent.conditions = [FULL];
    await agent.heartbeat();
    expect(orchestrator.snapshot.host(agent.id)?.conditions).toMatchObject([{ type: 'StorageFull' }]);
    expect(await reserve()).toBe(false);
    agent.conditions = [];
    await agent.heartbeat();
    expect(await reserve()).toBe(true);
  });
});
