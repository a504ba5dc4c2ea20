import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { HeartbeatReply } from '@novacron/contracts/agents';
import { newId, type TenantId, type VmId } from '@novacron/contracts/ids';
import { Host } from '@novacron/contracts/infrastructure';
import { applyHostEffects } from '../../src/hosts/capacity.js';
import { place } from '../../src/placement/place.js';
import { HostDirectory } from '../../src/hosts/host-directory.js';
import { HostsHarness, OPERATOR, type Orchestrator } from '../support/hosts-harness.js';
import type { FakeAgent } from '../support/fake-agent.js';

let harness: HostsHarness;
let orchestrator: Orchestrator;
beforeAll(async () => {
  harness = await HostsHarness.start();
  orchestrator = await harness.orchestrator();
});
afterAll(() => harness.stop());

const physical = { cpu: 4, memory: 8_192, disk: 100 };
const overcommit = { cpu: 4, disk: 1.5 };

async function upAgent(): Promise<FakeAgent> {
  const agent = await harness.agent();
  await agent.register({ physical, overcommit });
  return agent;
}
const read = async (agent: FakeAgent) =>
  Host.parse((await orchestrator.get(HostDirectory).host(OPERATOR, agent.id)).body);
const measures = (agent: FakeAgent, disk: number) =>
  agent.send('heartbeat', { ...agent.stamp(), guests: 0, physical: { ...physical, disk } }, HeartbeatReply);

describe('a host', () => {
  it('shows its resources, the overcommit factors, its capacity and what is free', async () => {
    const agent = await upAgent();
    await harness.vm({ host_id: agent.id });
    expect(await read(agent)).toMatchObject({
      physical,
      overcommit,
      capacity: { cpu: 16, memory: 8_192, disk: 150 },
      allocated: { cpu: 2, memory: 2_048, disk: 10 },
      free: { cpu: 14, memory: 6_144, disk: 140 },
    });
  });

  it('has the reported capacity, without factors, when its agent is older', async () => {
    const agent = await harness.agent();
    await agent.register({ capacity: { cpu: 8, memory: 1_024, disk: 10 } });
    const capacity = { cpu: 8, memory: 1_024, disk: 10 };
    expect(await read(agent)).toMatchObject({
      physical: capacity,
      overcommit: { cpu: 1, disk: 1 },
      capacity,
    });
  });

  it('has less capacity when others fill its file system, and gets no allocation beyond that', async () => {
    const agent = await upAgent();
    await measures(agent, 20);
    expect(await read(agent)).toMatchObject({ physical: { disk: 20 }, capacity: { cpu: 16, disk: 30 } });
    const wanted = {
      vmId: newId<VmId>(),
      tenantId: newId<TenantId>(),
      zone: 'sim',
      image: 'ubuntu-22.04',
      cpu: 1,
      memory: 64,
      disk: 40,
      needs: [],
    };
    const view = orchestrator.snapshot.hosts().filter(({ id }) => id === agent.id);
    expect(place(wanted, view, new Date())).toMatchObject({ hostId: null, fits: 'never' });
    const vm = await harness.vmRow(await harness.vm({ host_id: null, disk: 40 }));
    const { result } = await harness.sys.transaction({}, (tx) =>
      applyHostEffects(tx, [{ effect: 'reserve', hostId: agent.id, vm }], new Date()),
    );
    expect([...result.refused]).toEqual([vm.id]);
  });

  it('has nothing free when more is allocated than it has', async () => {
    const agent = await upAgent();
    await harness.vm({ host_id: agent.id });
    await measures(agent, 1);
    expect(await read(agent)).toMatchObject({
      capacity: { disk: 1 },
      allocated: { disk: 10 },
      free: { disk: 0 },
    });
  });

  it('gets no new version by a change of less than a hundredth', async () => {
    const agent = await upAgent();
    const { version } = await read(agent);
    for (const disk of [100, 99.5, 100.4]) await measures(agent, disk);
    expect(await read(agent)).toMatchObject({ version, capacity: { disk: 150 } });
  });
});
