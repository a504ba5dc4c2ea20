import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ServiceError } from '@novacron/contracts/errors';
import { downAfterMs, graceMs } from '../../src/hosts/settings.js';
import { FAST, HostsRig, until, type Orchestrator } from '../support/hosts-rig.js';
import type { TinyAgent } from '../support/tiny-agent.js';

let rig: HostsRig;
let orchestrator: Orchestrator;
const agents: TinyAgent[] = [];

beforeAll(async () => {
  rig = await HostsRig.start({ ownCluster: true });
  orchestrator = await rig.orchestrator();
  for (let i = 0; i < 3; i++) {
    const agent = await rig.agent();
    await agent.register();
    agent.beat();
    agents.push(agent);
  }
});
afterAll(() => rig.stop());

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('while Postgres is away', () => {
  it('no host is lost, and afterwards hosts register, beat and fall silent as before', async () => {
    await rig.servers.cluster?.end('primary', 'kill');
    const said = (agent: TinyAgent) => agent.heartbeat().catch(({ code }: ServiceError) => code);
    const [first, second] = agents as [TinyAgent, TinyAgent];
    await until(
      () => said(first),
      (code) => code === 'dependency_down',
    );
    await sleep(2 * downAfterMs(FAST));
    await rig.servers.cluster?.restart('primary');
    await until(
      () => said(first),
      (needed) => needed === 'nothing',
    );
    await sleep(graceMs(FAST) + 1_000);
    for (const agent of agents) {
      expect(await rig.hostState(agent.id)).toBe('up');
      expect((await rig.events(agent.id)).map(({ data }) => data['state'])).toEqual(['up']);
      expect(await agent.heartbeat()).toBe('nothing');
    }
    first.silence();
    await until(
      () => rig.hostState(first.id),
      (state) => state === 'down',
    );
    expect(await first.register()).toMatchObject({ epoch: 2 });
    expect(orchestrator.snapshot.host(first.id)).toMatchObject({ state: 'up', epoch: 2 });
    expect(await rig.hostState(second.id)).toBe('up');
    for (const agent of agents) agent.silence();
  });
});
