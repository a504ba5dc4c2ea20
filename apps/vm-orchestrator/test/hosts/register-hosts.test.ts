import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RegisterHost } from '@novacron/contracts/agents';
import { ServiceError } from '@novacron/contracts/errors';
import { newId, type HostId, type VmId } from '@novacron/contracts/ids';
import { Host, PageQuery, ZonePage } from '@novacron/contracts/infrastructure';
import { z } from 'zod';
import { HostDirectory } from '../../src/hosts/host-directory.js';
import { readUntil } from '@novacron/testkit/wait';
import { FAST, HostsHarness, OPERATOR, type Orchestrator } from '../support/hosts-harness.js';

let harness: HostsHarness;
let orchestrator: Orchestrator;

beforeAll(async () => {
  harness = await HostsHarness.start();
  orchestrator = await harness.orchestrator();
});
afterAll(() => harness.stop());

describe('registration', () => {
  it('gives a host a new epoch each time, and keeps its last report', async () => {
    const agent = await harness.agent();
    expect(await agent.register()).toEqual({ epoch: 1, generation: 1, heartbeatMs: FAST.heartbeatMs });
    expect(await agent.register({ capacity: { cpu: 8, memory: 1_024, disk: 10 } })).toMatchObject({
      epoch: 2,
    });
    const { body, version } = await orchestrator.get(HostDirectory).host(OPERATOR, agent.id);
    expect(Host.parse(body)).toMatchObject({
      id: agent.id,
      epoch: 2,
      state: 'up',
      capacity: { cpu: 8 },
      version,
    });
    expect((await harness.events(agent.id)).map(({ type, version }) => [type, version])).toEqual([
      ['host.created', 1],
      ['host.updated', 2],
    ]);
  });

  it('adds an unknown zone, with the images of the catalogue', async () => {
    const agent = await harness.agent({ zone: 'lab', images: ['ubuntu-22.04', 'odd-image'] });
    await agent.register();
    const directory = orchestrator.get(HostDirectory);
    const all = PageQuery.parse({ limit: 500 });
    const { body: zonePage } = await directory.zones(OPERATOR, all);
    const { items: zones } = ZonePage.parse(JSON.parse(zonePage.json));
    expect(zones.find(({ name }) => name === 'lab')).toMatchObject({
      images: ['ubuntu-22.04'],
      hosts: { up: 1, total: 1 },
    });
    expect(await harness.events('lab')).toHaveLength(1);
  });

  it.each([
    ['zone', 'eu west'],
    ['zone', 'eu>'],
    ['name', 'a b'],
    ['images', ['ubuntu 22']],
  ])(
    'refuses a host whose %s is %j, which may not be in a subject, and keeps nothing of it',
    async (field, value) => {
      const agent = await harness.agent({ [field]: value });
      await expect(agent.register()).rejects.toMatchObject({ code: 'invalid_request' });
      const { body: zones } = await orchestrator
        .get(HostDirectory)
        .zones(OPERATOR, PageQuery.parse({ limit: 500 }));
      expect(zones.json).not.toContain(JSON.stringify(value));
      await expect(orchestrator.get(HostDirectory).host(OPERATOR, agent.id)).rejects.toMatchObject({
        code: 'not_found',
      });
    },
  );

  it('refuses the name of another host', async () => {
    const first = await harness.agent({ name: 'twin' });
    const second = await harness.agent({ name: 'twin' });
    await first.register();
    await expect(second.register()).rejects.toMatchObject({ code: 'name_taken' });
  });

  it('takes many hosts at once', async () => {
    const agents = await Promise.all(
      Array.from({ length: 8 }, (_, i) => harness.agent({ images: ['b', 'a', `i-${i}`] })),
    );
    const answers = await Promise.all(agents.map((agent) => agent.register()));
    expect(answers.map(({ epoch }) => epoch)).toEqual(Array(8).fill(1));
  });

  it('is requested from a host with another epoch, and from an unknown host', async () => {
    const agent = await harness.agent();
    expect(await agent.heartbeat(1)).toBe('register');
    await agent.register();
    expect(await agent.heartbeat()).toBe('nothing');
    expect(await agent.heartbeat(7)).toBe('register');
    const old = { epoch: 7, seq: 1, facts: [] };
    await expect(agent.send('report', old, z.unknown())).resolves.toEqual({ needed: 'register' });
  });

  it('is followed by a request of the inventory', async () => {
    const agent = await harness.agent();
    await agent.register();
    await readUntil(
      () => agent.inventoriesAsked,
      (asked) => asked > 0,
    );
  });
});

describe('a message of a host', () => {
  it('is refused when it does not fit its schema, and changes nothing', async () => {
    const agent = await harness.agent();
    for (const body of [{}, { ...RegisterHost.shape, name: 'UPPER' }, null, 'x']) {
      await expect(agent.send('register', body, z.unknown())).rejects.toMatchObject({
        code: 'invalid_request',
      });
    }
    await expect(agent.send('heartbeat', {}, z.unknown())).rejects.toBeInstanceOf(ServiceError);
    expect(await harness.hostState(agent.id)).toBeUndefined();
  });

  it('reaches the database when it is a heartbeat', async () => {
    const agent = await harness.agent();
    await agent.register();
    const at = async () =>
      (await orchestrator.get(HostDirectory).host(OPERATOR, agent.id)).body.lastHeartbeatAt as string;
    const before = await at();
    await agent.heartbeat();
    await readUntil(at, (now) => now > before);
  });

  it('wakes the job of a command that has ended', async () => {
    const agent = await harness.agent();
    await agent.register();
    const reply = { outcome: 'accepted' as const, ...agent.stamp() };
    await agent.send('commandEnded', { commandId: 'job:start', reply }, z.unknown());
    expect(orchestrator.woken).toContain('job');
  });
});

describe('a command', () => {
  const observe = (vmId = newId<VmId>()) =>
    ({ kind: 'observe', commandId: 'j:observe', vmId, epoch: 1, generation: 1, fence: 1 }) as const;

  it('is answered by the host', async () => {
    const agent = await harness.agent();
    await agent.register();
    const answer = await orchestrator.link.command(agent.id, observe(), 30_000);
    expect(answer).toMatchObject({ outcome: 'failed', code: 'unsupported' });
    expect(agent.commands).toHaveLength(1);
  });

  it('is unreachable at once when the host is not there', async () => {
    const started = performance.now();
    expect(await orchestrator.link.command(newId<HostId>(), observe(), 30_000)).toMatchObject({
      outcome: 'unreachable',
    });
    expect(performance.now() - started).toBeLessThan(20_000);
  });

  it('counts as unreachable when its answer is invalid', async () => {
    const agent = await harness.agent();
    agent.onCommand = () => ({ outcome: 'splendid' }) as never;
    expect(await orchestrator.link.command(agent.id, observe(), 30_000)).toMatchObject({
      outcome: 'unreachable',
    });
  });
});
