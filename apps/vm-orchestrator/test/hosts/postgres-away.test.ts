import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServiceError } from '@novacron/contracts/errors';
import { downAfterMs, graceMs } from '../../src/hosts/settings.js';
import { readUntil } from '@novacron/testkit/wait';
import { FAST, HostsHarness, type Orchestrator } from '../support/hosts-harness.js';
import type { FakeAgent } from '../support/fake-agent.js';

let harness: HostsHarness;
let orchestrator: Orchestrator;
const agents: FakeAgent[] = [];

beforeAll(async () => {
  harness = await HostsHarness.start({ ownCluster: true });
  orchestrator = await harness.orchestrator();
  for (let i = 0; i < 3; i++) {
    const agent = await harness.agent();
    await agent.register();
    agent.startHeartbeats();
    agents.push(agent);
  }
});
afterAll(() => harness.stop());

describe('while Postgres is away', () => {
  it('no host is lost, and afterwards hosts register, send heartbeats and become unreachable as before', async () => {
    await harness.servers.cluster?.end('primary', 'kill');
    const said = (agent: FakeAgent) => agent.heartbeat().catch(({ code }: ServiceError) => code);
    const [first, second] = agents as [FakeAgent, FakeAgent];
    await readUntil(
      () => said(first),
      (code) => code === 'dependency_down',
    );
    await sleep(2 * downAfterMs(FAST));
    await harness.servers.cluster?.restart('primary');
    await readUntil(
      () => said(first),
      (needed) => needed === 'nothing',
    );
    await sleep(graceMs(FAST) + 1_000);
    for (const agent of agents) {
      expect(await harness.hostState(agent.id)).toBe('up');
      expect((await harness.events(agent.id)).map(({ data }) => data['state'])).toEqual(['up']);
      expect(await agent.heartbeat()).toBe('nothing');
    }
    first.stopHeartbeats();
    await readUntil(
      () => harness.hostState(first.id),
      (state) => state === 'down',
    );
    expect(await first.register()).toMatchObject({ epoch: 2 });
    expect(orchestrator.snapshot.host(first.id)).toMatchObject({ state: 'up', epoch: 2 });
    expect(await harness.hostState(second.id)).toBe('up');
    for (const agent of agents) agent.stopHeartbeats();
  });
});
