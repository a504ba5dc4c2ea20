import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { HeartbeatReply, type RegisterHost } from '@novacron/contracts/agents';
import { Host, ImagePage, PageQuery } from '@novacron/contracts/infrastructure';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { putImages } from '../../src/hosts/image-catalogue.js';
import { HostDirectory } from '../../src/hosts/host-directory.js';
import { HostInvites } from '../../src/admission/host-invites.js';
import { readUntil } from '@novacron/testkit/wait';
import { CATALOGUE, HostsHarness, OPERATOR, type Orchestrator } from '../support/hosts-harness.js';
import type { FakeAgent } from '../support/fake-agent.js';

let harness: HostsHarness;
/** Makes a host's first registration its record. */
let orchestrator: Orchestrator;
beforeAll(async () => {
  harness = await HostsHarness.start();
  orchestrator = await harness.orchestrator();
});
afterAll(() => harness.stop());

const CAPACITY = { cpu: 16, memory: 16_384, disk: 100 };
const read = async (agent: FakeAgent) =>
  Host.parse((await orchestrator.get(HostDirectory).host(OPERATOR, agent.id)).body);
const contradiction = (host: Host) => host.conditions.find(({ type }) => type === 'RecordContradicted');

describe('a registered host', () => {
  const lies: [string, Partial<RegisterHost>, string][] = [
    ['another zone', { zone: 'local' }, 'zone is local instead of sim'],
    ['another driver', { driver: 'qemu' }, 'driver is qemu instead of tiny'],
    ['other labels', { labels: { rack: 'b' } }, 'the labels are others'],
    ['one label more', { labels: { rack: 'a', gpu: 'yes' } }, 'the labels are others'],
    ['no labels', { labels: {} }, 'the labels are others'],
    ['a new zone', { zone: 'invented' }, 'zone is invented instead of sim'],
  ];

  it.each(lies)('that claims %s is refused, shown and cordoned', async (_what, lie, why) => {
    const agent = await harness.agent({ capacity: CAPACITY, labels: { rack: 'a' } });
    await agent.register();
    const before = await read(agent);
    for (let i = 0; i < 2; i++) {
      await expect(agent.register(lie)).rejects.toMatchObject({
        code: 'forbidden',
        detail: expect.stringContaining(why),
      });
    }
    const host = await read(agent);
    expect(host).toMatchObject({ zone: 'sim', driver: 'tiny', labels: { rack: 'a' }, capacity: CAPACITY });
    expect(host).toMatchObject({ schedulable: false, epoch: before.epoch, version: before.version + 1 });
    expect(contradiction(host)?.message).toContain(why);
    expect(orchestrator.snapshot.zones().map(({ name }) => name)).not.toContain('invented');
    // Its former record still counts; the operator decides whether to place VMs on it again.
    await agent.register();
    expect(contradiction(await read(agent))).toBeUndefined();
    expect(await read(agent)).toMatchObject({ schedulable: false, state: 'up' });
  });

  it('is compared with its present state when it registered before there were records', async () => {
    const agent = await harness.agent({ capacity: CAPACITY });
    await agent.register();
    await harness.sys.primary.batch({}, [
      { statement: { text: 'UPDATE hosts SET approved = NULL WHERE id = $1' }, params: [agent.id] },
    ]);
    await expect(agent.register({ zone: 'local' })).rejects.toMatchObject({ code: 'forbidden' });
    await agent.register();
    expect(await read(agent)).toMatchObject({ zone: 'sim', approved: { zone: 'sim', driver: 'tiny' } });
  });

  it.each<[string, Partial<RegisterHost>]>([
    ['a huge capacity', { capacity: { ...CAPACITY, cpu: 1_000 } }],
    ['a huge physical capacity', { physical: CAPACITY, overcommit: { cpu: 64, disk: 1 } }],
  ])('that claims %s is registered with what its record allows, and shown', async (_what, grown) => {
    const agent = await harness.agent({ capacity: CAPACITY });
    await agent.register();
    const { epoch } = await read(agent);
    await agent.register(grown);
    const host = await read(agent);
    expect(host).toMatchObject({ state: 'up', schedulable: true, capacity: { ...CAPACITY, cpu: 64 } });
    expect(host.epoch).toBe(epoch + 1);
    expect(host.conditions).toMatchObject([
      { type: 'CapacityLimited', status: 'true', message: expect.stringContaining('cpu 64') },
    ]);
    expect(await agent.heartbeat()).toBe('nothing');
    await agent.register();
    expect((await read(agent)).conditions).toEqual([]);
  });

  it('offers disk when it has space, although its disk was full at its first registration', async () => {
    const agent = await harness.agent({ capacity: { ...CAPACITY, disk: 0 } });
    await agent.register();
    expect(await read(agent)).toMatchObject({ capacity: { disk: 0 }, conditions: [] });
    await agent.register({ capacity: CAPACITY });
    expect(await read(agent)).toMatchObject({ capacity: CAPACITY, conditions: [] });
  });

  it('may grow to four times its first capacity, and no further by its heartbeats', async () => {
    const agent = await harness.agent();
    const physical = { cpu: 4, memory: 8_192, disk: 100 };
    await agent.register({ physical });
    await agent.register({ physical: { ...physical, cpu: 16 } });
    const disk = 1_000_000;
    const body = { ...agent.stamp(), guests: 0, physical: { ...physical, disk } };
    await agent.send('heartbeat', body, HeartbeatReply);
    const { capacity, conditions, version } = await read(agent);
    expect(capacity).toEqual({ cpu: 4, memory: 8_192, disk: 400 });
    expect(conditions).toMatchObject([
      { type: 'CapacityLimited', message: expect.stringMatching(/: disk 400$/) },
    ]);
    await agent.send('heartbeat', { ...body, ...agent.stamp() }, HeartbeatReply);
    expect((await read(agent)).version).toBe(version);
    await agent.send('heartbeat', { ...body, ...agent.stamp(), physical }, HeartbeatReply);
    expect(await read(agent)).toMatchObject({ capacity: { disk: 100 }, conditions: [] });
  });
});

describe('a control plane with approved hosts', () => {
  let strict: Orchestrator;
  let folder: string;
  let list: string;
  const write = (hosts: object[]) => writeFile(list, JSON.stringify(hosts));
  const invite = async (over: object = {}) =>
    (await strict.get(HostInvites).create(OPERATOR, { zone: 'sim', driver: 'tiny', labels: {}, ...over }))
      .invite.token as string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'novacron-approved-'));
    list = join(folder, 'hosts.json');
    await orchestrator.stop();
    strict = await harness.orchestrator({}, { admission: 'approved', approved: list });
  });
  afterAll(async () => {
    await strict.stop();
    orchestrator = await harness.orchestrator();
    await rm(folder, { recursive: true });
  });

  it('refuses a host that is neither listed nor invited, and one that contradicts the list', async () => {
    const agent = await harness.agent();
    await expect(agent.register()).rejects.toMatchObject({ code: 'forbidden' });
    await write([{ hostId: agent.id, zone: 'local', driver: 'tiny' }]);
    await expect(agent.register()).rejects.toMatchObject({ code: 'forbidden' });
    expect(await harness.hostState(agent.id)).toBeUndefined();
  });

  it('reads its list again when it has changed, and applies it', async () => {
    const agent = await harness.agent();
    await write([{ hostId: agent.id, zone: 'sim', driver: 'tiny', capacity: CAPACITY }]);
    await agent.register();
    expect(await read(agent)).toMatchObject({
      capacity: CAPACITY,
      conditions: [
        { type: 'CapacityLimited', message: expect.stringContaining('cpu 16, memory 16384, disk 100') },
      ],
    });
    await write([{ hostId: agent.id, zone: 'local', driver: 'tiny', labels: { rack: 'c' } }]);
    await agent.register({ capacity: CAPACITY, zone: 'local', labels: { rack: 'c' } });
    expect(await read(agent)).toMatchObject({
      zone: 'local',
      approved: { zone: 'local', driver: 'tiny', labels: { rack: 'c' }, capacity: CAPACITY },
    });
  });

  it('approves no new host when its list is damaged, and keeps those that it knew', async () => {
    const agent = await harness.agent();
    await write([{ hostId: agent.id, zone: 'sim', driver: 'tiny' }]);
    await agent.register();
    await writeFile(list, '[{');
    await agent.register();
    await expect((await harness.agent()).register()).rejects.toMatchObject({ code: 'forbidden' });
  });

  it('admits one host by a join token, with the record of the token', async () => {
    const joinToken = await invite({ zone: 'local', labels: { rack: 'a' }, capacity: CAPACITY });
    const agent = await harness.agent({ joinToken, capacity: CAPACITY });
    await expect(agent.register()).rejects.toMatchObject({ code: 'forbidden' });
    const as = { zone: 'local', labels: { rack: 'a' } };
    await agent.register(as);
    expect(await read(agent)).toMatchObject({ ...as, approved: { ...as, capacity: CAPACITY } });
    // The token stays in the host's file: another registration does not need a new one.
    expect(await agent.register(as)).toMatchObject({ epoch: 2 });
    await expect((await harness.agent({ joinToken, ...as })).register()).rejects.toMatchObject({
      code: 'forbidden',
      detail: expect.stringContaining('Another host'),
    });
  });

  it('admits a host whose first registration with a join token is repeated before it is answered', async () => {
    const joinToken = await invite();
    const agent = await harness.agent({ joinToken });
    const waiting = `SELECT count(*)::int AS n FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%host_invites%'`;
    let tries: Promise<{ epoch: number }[]> | undefined;
    await harness.sys.transaction({}, async (tx) => {
      await tx.query({
        name: 'hold-invites',
        text: 'SELECT 1 FROM host_invites WHERE host_id IS NULL FOR UPDATE',
      });
      tries = Promise.all([agent.register(), agent.register()]);
      await readUntil(
        () => harness.rows<{ n: number }>(waiting),
        ([row]) => row?.n === 2,
      );
    });
    const epochs = (await tries)?.map(({ epoch }) => epoch).sort();
    expect(epochs).toEqual([1, 2]);
    expect(await read(agent)).toMatchObject({ state: 'up', epoch: 2 });
  });

  it('refuses a join token that has expired or does not exist', async () => {
    const joinToken = await invite();
    await harness.sys.primary.batch({}, [
      { statement: { text: `UPDATE host_invites SET expires_at = now() WHERE host_id IS NULL` } },
    ]);
    await expect((await harness.agent({ joinToken })).register()).rejects.toMatchObject({
      code: 'forbidden',
    });
    const madeUp = await harness.agent({ joinToken: `nci_${'x'.repeat(43)}` });
    await expect(madeUp.register()).rejects.toMatchObject({ code: 'forbidden' });
  });

  it('lets a registered host move by a new join token alone', async () => {
    const agent = await harness.agent({ joinToken: await invite() });
    await agent.register();
    await expect(agent.register({ zone: 'local' })).rejects.toMatchObject({ code: 'forbidden' });
    const joinToken = await invite({ zone: 'local' });
    await agent.register({ zone: 'local', joinToken });
    expect(await read(agent)).toMatchObject({ zone: 'local', approved: { zone: 'local' } });
  });

  it('shows a join token once: a repeated request is answered without it', async () => {
    const idempotency = { route: 'POST /api/v1/hosts/invites', key: 'once', bodyHash: 'h' };
    const body = { zone: 'sim', driver: 'tiny', labels: {} };
    const first = await strict.get(HostInvites).create({ ...OPERATOR, idempotency }, body);
    const again = await strict.get(HostInvites).create({ ...OPERATOR, idempotency }, body);
    expect(first.invite.token).toMatch(/^nci_/);
    expect(again).toMatchObject({ replayed: true, invite: { ...first.invite, token: null } });
    const stored = await harness.rows<{ text: string }>(
      `SELECT host_invites::text AS text FROM host_invites`,
    );
    expect(stored.map(({ text }) => text).join()).not.toContain(first.invite.token);
  });
});

describe('the images that a host offers', () => {
  const images = async () => {
    const { body } = await orchestrator.get(HostDirectory).images(OPERATOR, PageQuery.parse({ limit: 500 }));
    return ImagePage.parse(JSON.parse(body.json)).items.map(({ name }) => name);
  };

  it('are ignored, counted and shown when the catalogue does not have them', async () => {
    const before = await images();
    const invented = Array.from({ length: 900 }, (_, i) => `invented-${i}`);
    const agent = await harness.agent({ images: ['ubuntu-22.04', ...invented] });
    await agent.register();
    const host = await read(agent);
    expect(host.images).toEqual(['ubuntu-22.04']);
    expect(host.conditions).toMatchObject([
      { type: 'ImagesUnknown', status: 'true', message: expect.stringContaining('900 offered images') },
    ]);
    expect(await images()).toEqual(before);
    expect(orchestrator.snapshot.imagesOf('sim').has('invented-1')).toBe(false);
  });

  it('are asked for again when the catalogue gets new ones', async () => {
    const agent = await harness.agent({ images: ['house-image'] });
    await agent.register();
    await putImages(harness.sys, [...CATALOGUE, { name: 'house-image', rebuildable: false }]);
    await readUntil(
      () => agent.heartbeat(),
      (needed) => needed === 'register',
    );
    await agent.register();
    expect(await read(agent)).toMatchObject({ images: ['house-image'], conditions: [] });
    expect(await harness.events('house-image')).toHaveLength(1);
  });

  it('are retired when they leave the setting, and offered again when they come back', async () => {
    const setting = [...CATALOGUE, { name: 'passing-image', rebuildable: false }];
    const agent = await harness.agent({ images: ['ubuntu-22.04', 'passing-image'] });
    const other = await harness.agent();
    await other.register();
    const registerAgain = async () => {
      await readUntil(
        () => agent.heartbeat(),
        (needed) => needed === 'register',
      );
      await agent.register();
    };
    await putImages(harness.sys, setting);
    await agent.register();
    await putImages(harness.sys, CATALOGUE);
    expect(await images()).not.toContain('passing-image');
    await registerAgain();
    expect(await read(agent)).toMatchObject({
      images: ['ubuntu-22.04'],
      conditions: [{ type: 'ImagesUnknown', message: expect.stringContaining('passing-image') }],
    });
    await putImages(harness.sys, setting);
    await putImages(harness.sys, setting);
    await registerAgain();
    expect(await read(agent)).toMatchObject({ images: ['passing-image', 'ubuntu-22.04'], conditions: [] });
    expect(await images()).toContain('passing-image');
    expect((await harness.events('passing-image')).map(({ type, version }) => [type, version])).toEqual([
      ['image.created', 1],
      ['image.deleted', 2],
      ['image.created', 3],
    ]);
    // On a slow machine the host may have gone down meanwhile. Then its first heartbeat asks for an inventory.
    await other.heartbeat();
    expect(await other.heartbeat()).toBe('nothing');
    expect((await read(other)).epoch).toBe(other.registered.epoch);
    await putImages(harness.sys, CATALOGUE);
  });

  it('are ignored when an older orchestrator put them into the catalogue', async () => {
    await harness.sys.primary.batch({}, [
      { statement: { text: `INSERT INTO images (name) VALUES ('invented-before') ON CONFLICT DO NOTHING` } },
    ]);
    const agent = await harness.agent({ images: ['invented-before'] });
    await agent.register();
    expect(await read(agent)).toMatchObject({ images: [], conditions: [{ type: 'ImagesUnknown' }] });
    expect(await images()).not.toContain('invented-before');
  });
});
