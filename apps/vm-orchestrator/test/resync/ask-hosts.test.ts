import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { readUntil } from '@novacron/testkit/wait';
import { HostsHarness } from '../support/hosts-harness.js';
import type { FakeAgent } from '../support/fake-agent.js';

let harness: HostsHarness;

beforeAll(async () => {
  harness = await HostsHarness.start();
  await harness.orchestrator({ heartbeatMs: 60_000 });
  await harness.orchestrator({ heartbeatMs: 60_000 });
});
afterAll(() => harness.stop());

/** Registered, asked for the first time, and not due again for so many seconds. */
async function askedAgent(nextInSeconds: number): Promise<FakeAgent> {
  const agent = await harness.agent();
  await agent.register();
  await readUntil(
    () => agent.inventoriesAsked,
    (asked) => asked > 0,
  );
  await dueIn(agent, nextInSeconds);
  agent.inventoriesAsked = 0;
  return agent;
}

const dueIn = (agent: FakeAgent, seconds: number) =>
  harness.sys.primary.batch({}, [
    {
      statement: {
        text: 'UPDATE inventories SET next_at = now() + make_interval(secs => $2) WHERE host_id = $1',
      },
      params: [agent.id, seconds],
    },
  ]);

describe('of several orchestrators', () => {
  it('one asks a host when it is due, and then none for about a minute', async () => {
    const agent = await askedAgent(0);
    await readUntil(
      () => agent.inventoriesAsked,
      (asked) => asked > 0,
    );
    await sleep(500);
    expect(agent.inventoriesAsked).toBe(1);
    const [due] = await harness.rows<{ seconds: number }>(
      'SELECT extract(epoch FROM next_at - now())::float8 AS seconds FROM inventories WHERE host_id = $1',
      [agent.id],
    );
    expect(due?.seconds).toBeGreaterThan(20);
    expect(due?.seconds).toBeLessThan(66);
  });
});

describe('a host with a VM in unknown', () => {
  it('is asked sooner', async () => {
    const agent = await askedAgent(45);
    await sleep(400);
    expect(agent.inventoriesAsked).toBe(0);
    const vm = await harness.vm({ host_id: agent.id, state: 'unknown' });
    await readUntil(
      () => agent.inventoriesAsked,
      (asked) => asked > 0,
      30_000,
    );
    agent.guests.set(vm, { power: 'paused', incarnation: 1, reason: null });
    await agent.inventory();
    expect(await harness.vmRow(vm)).toMatchObject({ state: 'paused' });
  });
});

describe('a host that does not answer', () => {
  it('does not keep other hosts from being asked', async () => {
    // One after the other they would take 10 x 5 s, or half of that with two orchestrators.
    const silent = await Promise.all(Array.from({ length: 10 }, () => askedAgent(600)));
    let answer = (): void => undefined;
    const held = new Promise<void>((resolve) => (answer = resolve));
    for (const agent of silent) agent.onInventoryAsked = () => held;
    try {
      await Promise.all(silent.map((agent) => dueIn(agent, 0)));
      await readUntil(
        () => silent.filter(({ inventoriesAsked }) => inventoriesAsked > 0).length,
        (asked) => asked > 0,
      );
      const started = performance.now();
      const other = await askedAgent(600);
      expect(performance.now() - started).toBeLessThan(15_000);
      expect(other.inventoriesAsked).toBe(0);
    } finally {
      answer();
    }
  });
});
