import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createLogger } from '@novacron/telemetry/logger';
import { HostSnapshot } from '../../src/hosts/snapshot.js';
import { HostsHarness } from '../support/hosts-harness.js';
import type { FakeAgent } from '../support/fake-agent.js';

let harness: HostsHarness;
let agent: FakeAgent;
let now = 0;

beforeAll(async () => {
  harness = await HostsHarness.start();
  await harness.orchestrator({ heartbeatMs: 60_000 });
  agent = await harness.agent();
  await agent.register();
});
afterAll(() => harness.stop());

const snapshot = () => new HostSnapshot(harness.sys, createLogger('test', 'silent'), () => now);
const capacity = { cpu: 4, memory: 4_096, disk: 20 };
const allocate = (cpu: number) =>
  harness.sys.primary.batch({}, [
    {
      statement: { text: 'UPDATE hosts SET allocated_cpu = allocated_cpu + $2 WHERE id = $1' },
      params: [agent.id, cpu],
    },
  ]);

describe('the view of the hosts', () => {
  it('is empty before its first refresh, and then has hosts, zones and generation', async () => {
    const view = snapshot();
    expect(view.ready).toBe(false);
    await view.refresh();
    expect(view.ready).toBe(true);
    expect(view.generation).toBe(1);
    expect(view.zones()).toContainEqual({ name: 'sim', isDefault: true });
    expect(view.host(agent.id)).toMatchObject({ epoch: 1, state: 'up', zone: 'sim' });
  });

  it('counts reserved capacity until it is released', async () => {
    const view = snapshot();
    await view.refresh();
    const before = view.host(agent.id)?.allocated.cpu as number;
    const reservation = view.reserve(agent.id, capacity);
    expect(view.hosts().find(({ id }) => id === agent.id)?.allocated.cpu).toBe(before + 4);
    await view.refresh();
    expect(view.host(agent.id)?.allocated.cpu).toBe(before + 4);
    reservation.release();
    expect(view.host(agent.id)?.allocated.cpu).toBe(before);
  });

  it('counts committed capacity once: by itself until a later view shows it', async () => {
    const view = snapshot();
    await view.refresh();
    const before = view.host(agent.id)?.allocated.cpu as number;
    const reservation = view.reserve(agent.id, capacity);
    await allocate(4);
    reservation.committed();
    expect(view.host(agent.id)?.allocated.cpu).toBe(before + 4);
    now += 1;
    await view.refresh();
    expect(view.host(agent.id)?.allocated.cpu).toBe(before + 4);
    await allocate(-4);
  });

  it('drops a reservation that was neither committed nor released', async () => {
    const view = snapshot();
    await view.refresh();
    const before = view.host(agent.id)?.allocated.cpu as number;
    view.reserve(agent.id, capacity);
    now += 16_000;
    await view.refresh();
    expect(view.host(agent.id)?.allocated.cpu).toBe(before);
  });

  it('answers a refresh with a state after the request', async () => {
    const view = snapshot();
    const underWay = view.refresh();
    await allocate(8);
    const after = view.refresh();
    await Promise.all([underWay, after]);
    expect(view.host(agent.id)?.allocated.cpu).toBe(8);
    await allocate(-8);
  });

  it('begins a higher generation, once, and unused epochs when the database was restored', async () => {
    const before = agent.registered.epoch;
    await harness.sys.primary.batch({}, [
      { statement: { text: "UPDATE control_plane SET history = '1.1'" } },
    ]);
    const views = [snapshot(), snapshot(), snapshot()];
    await Promise.all(views.map((view) => view.refresh()));
    const generation = views[0]?.generation as number;
    expect(generation).toBeGreaterThan(Date.now() / 1000 - 600);
    expect(views.map((view) => view.generation)).toEqual([generation, generation, generation]);
    expect((await agent.register()).epoch).toBeGreaterThanOrEqual(Math.max(generation, before + 1));
    // A second restore of the same backup in the same second must be above the first one too.
    await harness.sys.primary.batch({}, [
      { statement: { text: "UPDATE control_plane SET history = '1.1'" } },
    ]);
    await views[0]?.refresh();
    expect(views[0]?.generation).toBeGreaterThan(generation);
  });

  it('refuses a database that was restored into the cluster that it came from', async () => {
    const place = (text: string) => harness.sys.primary.batch({}, [{ statement: { text } }]);
    await place("UPDATE control_plane SET place = '1.' || place");
    await expect(snapshot().refresh()).rejects.toThrow('Restore it into a new one');
    await place('UPDATE control_plane SET place = substr(place, 3)');
    await snapshot().refresh();
  });
});
