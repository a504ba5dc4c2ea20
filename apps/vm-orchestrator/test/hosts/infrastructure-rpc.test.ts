import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NatsConnection } from '@nats-io/transport-node';
import { newId, type HostId } from '@novacron/contracts/ids';
import { infrastructureRpc } from '@novacron/contracts/infrastructure';
import { PositionText } from '@novacron/contracts/position';
import { connectNats } from '@novacron/messaging/connect';
import { RpcClient } from '@novacron/messaging/rpc-client';
import { RpcServer } from '@novacron/messaging/rpc-server';
import { createLogger } from '@novacron/telemetry/logger';
import { HostsModule } from '../../src/hosts/hosts.module.js';
import { HostsRig, OPERATOR } from '../support/hosts-rig.js';
import type { TinyAgent } from '../support/tiny-agent.js';

let rig: HostsRig;
let agent: TinyAgent;
let gateway: NatsConnection;
let client: RpcClient;
let app: INestMicroservice;

beforeAll(async () => {
  rig = await HostsRig.start();
  const { hosts, nc } = await rig.orchestrator({ heartbeatMs: 60_000 });
  agent = await rig.agent();
  await agent.register();
  const strategy = new RpcServer({ nc, service: 'orchestrator', logger: createLogger('test', 'silent') });
  app = await NestFactory.createMicroservice(HostsModule.from(hosts), { strategy, logger: false });
  await app.listen();
  gateway = await connectNats({ ...rig.servers.natsLogin('gateway'), name: 'gateway' });
  client = new RpcClient(gateway);
});
afterAll(async () => {
  await gateway.close();
  await app.close();
  await rig.stop();
});

describe('the infrastructure over RPC', () => {
  it('shows hosts, zones and images to every role, with the position they were read at', async () => {
    const viewer = { ...OPERATOR, roles: ['viewer' as const], consistency: 'causal' as const };
    const hosts = await client.request(infrastructureRpc.hosts, viewer, { zone: 'sim' });
    expect(hosts.body.items.map(({ id }) => id)).toEqual([agent.id]);
    PositionText.parse(hosts.position);
    const later = { ...viewer, minPosition: hosts.position };
    expect((await client.request(infrastructureRpc.host, later, { id: agent.id })).body.name).toBe(
      hosts.body.items[0]?.name,
    );
    expect(
      (await client.request(infrastructureRpc.zones, viewer, {})).body.items.map(({ name }) => name),
    ).toEqual(['local', 'sim']);
    expect((await client.request(infrastructureRpc.images, viewer, {})).body.items).toMatchObject([
      { name: 'ubuntu-22.04', zones: ['sim'] },
    ]);
  });

  it('lets platform operators alone act on a host, and answers the version that they made', async () => {
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

  it('knows no host that never registered', async () => {
    const id = newId<HostId>();
    await expect(client.request(infrastructureRpc.host, OPERATOR, { id })).rejects.toMatchObject({
      code: 'not_found',
    });
    await expect(
      client.request(infrastructureRpc.actOnHost, OPERATOR, { id, action: 'cordon' }),
    ).rejects.toMatchObject({ code: 'not_found' });
  });
});
