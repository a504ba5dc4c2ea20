import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { newId, type HostId } from '@novacron/contracts/ids';
import type { ReportedCondition } from '@novacron/contracts/infrastructure';
import { connectNats } from '@novacron/messaging/connect';
import { createLogger } from '@novacron/telemetry/logger';
import { useTestServers, type TestServers } from '@novacron/testkit/servers';
import { until } from '@novacron/testkit/wait';
import { join } from 'node:path';
import type { NatsConnection } from '@nats-io/transport-node';
import { CommandMemory } from '../src/agent/command-memory.js';
import { HostAgent } from '../src/agent/host-agent.js';
import { systemClock } from '../src/time/clock.js';
import { FaultyDriver } from './driver-contract/faulty-driver.js';
import { SimulatedDriver } from '../src/drivers/simulated/driver.js';
import { NO_FAILURES, parseLatencies } from '../src/config.js';
import { seededRandom } from '@novacron/async/random';
import { FakeOrchestrator } from './fake-orchestrator.js';

const FULL: ReportedCondition = { type: 'StorageFull', reason: 'NoSpace', message: 'the disk is full' };

describe('an agent whose disk stalls', () => {
  let servers: TestServers;
  let admin: NatsConnection;
  let orchestrator: FakeOrchestrator;
  let memory: CommandMemory;
  let driver: FaultyDriver;
  let agent: HostAgent;
  let stall: Promise<void> | undefined;
  let stalled = 0;

  beforeEach(async () => {
    servers = await useTestServers({ postgres: false, nats: true });
    const hostId = newId<HostId>();
    const { natsUser: user } = await servers.addHost(hostId);
    admin = await connectNats({ ...servers.natsLogin('admin'), name: 'test' });
    orchestrator = new FakeOrchestrator(admin);
    driver = new FaultyDriver(await simulated(servers.dir));
    memory = await CommandMemory.open(join(servers.dir, 'commands.journal'), systemClock.now);
    const disk = async <T>(answer: T): Promise<T> => {
      if (stall) stalled++;
      await stall;
      return answer;
    };
    driver.capacity = () => disk({ cpu: 8, memory: 16_384, disk: 100 });
    agent = new HostAgent({
      identity: { hostId, name: 'sim-1', zone: 'sim', labels: {}, capacity: undefined, joinToken: undefined },
      driver,
      memory,
      conditions: () => disk([FULL]),
      nc: await connectNats({ ...servers.natsLogin(user), name: 'agent' }),
      clock: systemClock,
      logger: createLogger('agent', 'fatal'),
      agentVersion: '0.1.0',
      overcommit: { cpu: 1, disk: 1 },
      metricsIntervalMs: 1_000,
      metricsBufferBytes: 1_048_576,
    });
    agent.start();
  });
  afterEach(async () => {
    await agent.drain();
    await driver.close();
    await memory.close();
    await admin.close();
    await servers.stop();
  });

  it('still sends heartbeats with the last readings, and reads once until the disk answers', async () => {
    const { heartbeats } = orchestrator;
    await until(() => heartbeats.length > 0);
    const { promise, resolve } = Promise.withResolvers<void>();
    stall = promise;
    await until(() => stalled === 2);
    const before = heartbeats.length;
    await until(() => heartbeats.length >= before + 3);
    expect(heartbeats.at(-1)?.body).toMatchObject({ conditions: [FULL], physical: { disk: 100 } });
    expect(stalled).toBe(2);
    stall = undefined;
    resolve();
    const after = heartbeats.length;
    await until(() => heartbeats.length > after);
  });
});

function simulated(folder: string): Promise<SimulatedDriver> {
  return SimulatedDriver.open({
    path: join(folder, 'guests.journal'),
    clock: systemClock,
    random: seededRandom(1),
    latencies: parseLatencies('0'),
    failureRates: NO_FAILURES,
    images: ['ubuntu-22.04'],
    capacity: { cpu: 8, memory: 16_384, disk: 100 },
    load: { traces: [], seed: 1 },
  });
}
