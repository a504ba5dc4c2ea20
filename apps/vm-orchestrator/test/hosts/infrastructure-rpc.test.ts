import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DynamicModule, INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NatsConnection } from '@nats-io/transport-node';
import { newId, type HostId } from '@novacron/contracts/ids';
import { infrastructureRpc, PageQuery } from '@novacron/contracts/infrastructure';
import { PositionText } from '@novacron/contracts/position';
import { connectNats } from '@novacron/messaging/connect';
import { RpcClient } from '@novacron/messaging/rpc-client';
import { RpcServer } from '@novacron/messaging/rpc-server';
import { createLogger } from '@novacron/telemetry/logger';
import { HostActions } from '../../src/admission/host-actions.js';
import { HostInvites } from '../../src/admission/host-invites.js';
import { InfrastructureController } from '../../src/api/infrastructure.controller.js';
import { HostDirectory } from '../../src/hosts/host-directory.js';
import { HostsHarness, OPERATOR } from '../support/hosts-harness.js';
import type { FakeAgent } from '../support/fake-agent.js';

type Rpc = typeof infrastructureRpc;

let harness: HostsHarness;
let agent: FakeAgent;
let gateway: NatsConnection;
let client: RpcClient;
let app: INestMicroservice;

beforeAll(async () => {
  harness = await HostsHarness.start();
  const orchestrator = await harness.orchestrator({ heartbeatMs: 60_000 });
  const { nc } = orchestrator;
  agent = await harness.agent();
  await agent.register();
  const strategy = new RpcServer({ nc, service: 'orchestrator', logger: createLogger('test', 'silent') });
  const module: DynamicModule = {
    module: class Api {},
    controllers: [InfrastructureController],
    providers: [HostActions, HostDirectory, HostInvites].map((type) => ({
      provide: type,
      useValue: orchestrator.get<object>(type),
    })),
  };
  app = await NestFactory.createMicroservice(module, { strategy, logger: false });
  await app.listen();
  gateway = await connectNats({ ...harness.servers.natsLogin('gateway'), name: 'gateway' });
  client = new RpcClient(gateway);
});
afterAll(async () => {
  await gateway.close();
  await app.close();
  await harness.stop();
});

const PAGE = PageQuery.parse({});

/** Every item, page by page, with how many pages there were. */
async function walk(contract: Rpc['hosts'] | Rpc['zones'] | Rpc['images'], limit: number) {
  const names: string[] = [];
  let pages = 0;
  let cursor: string | null = null;
  do {
    const query: PageQuery = { limit, ...(cursor === null ? {} : { cursor }) };
    const { body }: { body: { items: { name: string }[]; nextCursor: string | null } } = await client.request(
      contract,
      OPERATOR,
      query,
    );
    expect(body.items.length).toBeLessThanOrEqual(limit);
    names.push(...body.items.map(({ name }) => name));
    cursor = body.nextCursor;
    pages += 1;
  } while (cursor !== null);
  return { names, pages };
}

describe('the infrastructure over RPC', () => {
  it('shows hosts, zones and images to every role, with the position they were read at', async () => {
    const viewer = { ...OPERATOR, roles: ['viewer' as const], consistency: 'causal' as const };
    const hosts = await client.request(infrastructureRpc.hosts, viewer, { zone: 'sim', limit: 50 });
    expect(hosts.body.items.map(({ id }) => id)).toEqual([agent.id]);
    PositionText.parse(hosts.position);
    const later = { ...viewer, minPosition: hosts.position };
    expect((await client.request(infrastructureRpc.host, later, { id: agent.id })).body.name).toBe(
      hosts.body.items[0]?.name,
    );
    expect(
      (await client.request(infrastructureRpc.zones, viewer, PAGE)).body.items.map(({ name }) => name),
    ).toEqual(['local', 'sim']);
    const images = (await client.request(infrastructureRpc.images, viewer, PAGE)).body.items;
    expect(images.filter(({ zones }) => zones.length > 0)).toMatchObject([
      { name: 'ubuntu-22.04', zones: ['sim'] },
    ]);
  });

  it('lets only platform operators act on a host, and answers the version of their change', async () => {
    const cordon = { id: agent.id, action: 'cordon' as const };
    for (const role of ['viewer', 'operator', 'owner'] as const) {
      const refused = client.request(infrastructureRpc.actOnHost, { ...OPERATOR, roles: [role] }, cordon);
      await expect(refused).rejects.toMatchObject({ code: 'forbidden' });
    }
    const done = await client.request(infrastructureRpc.actOnHost, OPERATOR, cordon);
    expect(done).toMatchObject({ version: 2, body: { schedulable: false, version: 2 } });
    const seen = await client.request(
      infrastructureRpc.host,
      { ...OPERATOR, consistency: 'causal', minPosition: done.position },
      { id: agent.id },
    );
    expect(seen.body).toMatchObject({ schedulable: false });
  });

  it.each(['cordon', 'uncordon', 'drain'] as const)(
    'answers a repeated %s with its first answer, also after the host has changed',
    async (action) => {
      const idempotency = {
        key: `key-${action}`,
        route: `POST /hosts/{id}/actions/${action}`,
        bodyHash: 'h',
      };
      const keyed = { ...OPERATOR, idempotency };
      const ask = (meta: typeof OPERATOR, does: typeof action) =>
        client.request(infrastructureRpc.actOnHost, meta, { id: agent.id, action: does });
      const first = await ask(keyed, action);
      expect(first.replayed).toBeUndefined();
      const after = await ask(OPERATOR, action === 'uncordon' ? 'cordon' : 'uncordon');
      expect(await ask(keyed, action)).toMatchObject({ replayed: true, body: first.body });
      const now = await client.request(
        infrastructureRpc.host,
        { ...OPERATOR, consistency: 'strong' },
        { id: agent.id },
      );
      expect(now.body).toEqual(after.body);
    },
  );

  it('lists more than fits a message in pages, each name once and in order', async () => {
    const count = 1_900;
    const text = `INSERT INTO orchestrator.hosts (id, name, zone, driver, state, capabilities, images, cpu, memory, disk, created_at, updated_at)
      SELECT gen_random_uuid(), 'z-' || lpad(i::text, 5, '0'), 'z' || i % 300, 'many', 'down', '{}',
        (SELECT array_agg('image-' || j || '-' || i % 60) FROM generate_series(1, 9) j), 1, 1, 1, now(), now()
      FROM generate_series(1, $1) i`;
    const run = (sql: string, params: unknown[] = []) =>
      harness.sys.primary.batch({}, [{ statement: { text: sql }, params }]);
    await run(`INSERT INTO orchestrator.zones SELECT 'z' || i FROM generate_series(0, 299) i`);
    await run(text, [count]);
    await run(`INSERT INTO orchestrator.images (name, configured) SELECT DISTINCT unnest(images), true FROM orchestrator.hosts
      ON CONFLICT DO NOTHING`);
    for (const [contract, column] of [
      [infrastructureRpc.hosts, 'hosts'],
      [infrastructureRpc.zones, 'zones'],
      [infrastructureRpc.images, 'images'],
    ] as const) {
      const { rows } = await harness.sys.primary.query<{ name: string }>({
        text: `SELECT name FROM orchestrator.${column} ORDER BY name`,
      });
      const { names, pages } = await walk(contract, 500);
      expect(names).toEqual(rows.map(({ name }) => name));
      expect(pages).toBe(column === 'hosts' ? 4 : column === 'zones' ? 1 : 2);
    }
    expect((await walk(infrastructureRpc.zones, 97)).names).toHaveLength(302);
    const other = Buffer.from('["-createdAt","x","y"]').toString('base64url');
    for (const cursor of ['x', other]) {
      const asked = client.request(infrastructureRpc.hosts, OPERATOR, { limit: 5, cursor });
      await expect(asked).rejects.toMatchObject({ code: 'invalid_request', errors: [{ path: '/cursor' }] });
    }
  });

  it('does not find a host that never registered', async () => {
    const id = newId<HostId>();
    await expect(client.request(infrastructureRpc.host, OPERATOR, { id })).rejects.toMatchObject({
      code: 'not_found',
    });
    await expect(
      client.request(infrastructureRpc.actOnHost, OPERATOR, { id, action: 'cordon' }),
    ).rejects.toMatchObject({ code: 'not_found' });
  });
});
