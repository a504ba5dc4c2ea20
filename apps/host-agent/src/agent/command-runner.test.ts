import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { GuestSpec } from '@novacron/contracts/agents';
import { newId } from '@novacron/contracts/ids';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../time/clock.js';
import { AgentHarness } from '../../test/driver-contract/agent-harness.js';
import type { Fault } from '../../test/driver-contract/faulty-driver.js';
import { SimulatedDriver } from '../drivers/simulated/driver.js';
import { NO_FAILURES, parseLatencies } from '../config.js';
import { seededRandom } from '@novacron/async/random';
import { HOST_FAILED } from './public-error.js';

const ignoresItsEnd: Fault = () => new Promise(() => undefined);
const untilAborted: Fault = (signal) =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));

/** Complements the contract suite of all drivers: the bounds, and the order of commands. */
describe('the command runner', () => {
  let folder: string;
  let agent: AgentHarness;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'novacron-runner-'));
    agent = await AgentHarness.open({
      folder,
      open: () =>
        SimulatedDriver.open({
          path: join(folder, 'guests.journal'),
          clock: systemClock,
          random: seededRandom(1),
          latencies: parseLatencies('0'),
          failureRates: NO_FAILURES,
          images: ['ubuntu-22.04'],
          capacity: { cpu: 8, memory: 16_384, disk: 100 },
          load: { traces: [], seed: 1 },
        }),
      spec,
      dispose: async () => undefined,
    });
  });
  afterEach(async () => {
    await agent.close();
    await rm(folder, { recursive: true });
  });

  function spec(): GuestSpec {
    const config = { cpu: 2, memory: 4_096, disk: 50, image: 'ubuntu-22.04' };
    return { vmId: newId(), name: 'web', config, userData: null, sshKeys: [] };
  }

  it('ends an operation that takes too long, retryably', async () => {
    await agent.restart({ operationLimitMs: 20 });
    agent.driver.fault('create', untilAborted);
    const guest = spec();
    const reply = await agent.command(guest.vmId, { kind: 'create', spec: guest });
    expect(reply).toMatchObject({
      outcome: 'failed',
      retryable: true,
      detail: `create of ${guest.vmId} took longer than 20 ms`,
    });
  });

  it('abandons an operation that ignores its abort, so that force-stop is never stuck', async () => {
    await agent.restart({ unwindMs: 20 });
    const guest = spec();
    await agent.done(guest.vmId, { kind: 'create', spec: guest });
    agent.driver.fault('start', ignoresItsEnd);
    const stuck = agent.command(guest.vmId, { kind: 'start', spec: guest });
    await agent.done(guest.vmId, { kind: 'force-stop' }, { fence: 2 });
    expect(await stuck).toMatchObject({ outcome: 'fenced' });
  });

  it('lets a new owner of the job join the command that runs, and fences the old owner', async () => {
    const guest = spec();
    const go = Promise.withResolvers<'proceed'>();
    agent.driver.fault('create', () => go.promise);
    const ask = (fence: number) =>
      agent.command(guest.vmId, { kind: 'create', spec: guest }, { commandId: 'job:create', fence });
    const before = ask(1);
    const after = ask(2);
    expect(await ask(1)).toMatchObject({ outcome: 'fenced' });
    go.resolve('proceed');
    expect(await after).toMatchObject({ outcome: 'done' });
    expect(await before).toEqual(await after);
    expect(agent.driver.calls).toEqual(['create']);
  });

  it('answers the failure of an accepted command once, then runs the step again', async () => {
    await agent.restart({ acceptAfterMs: 10 });
    const guest = spec();
    const fail = Promise.withResolvers<'proceed'>();
    agent.driver.fault('create', () => fail.promise);
    const ask = () => agent.command(guest.vmId, { kind: 'create', spec: guest }, { commandId: 'job:create' });
    expect(await ask()).toMatchObject({ outcome: 'accepted' });
    fail.reject(new Error('the disk array is on fire'));
    await agent.until(() => agent.ended.length === 1);
    agent.driver.mend();
    const notified = await ask();
    expect(notified).toEqual(agent.ended[0]?.reply);
    expect(notified).toMatchObject({
      outcome: 'failed',
      code: 'driver_error',
      detail: HOST_FAILED,
    });
    expect(await ask()).toMatchObject({ outcome: 'done' });
  });

  it('refuses a command over its bound, retryably, and accepts it when there is room', async () => {
    await agent.restart({ maxCommands: 2 });
    const go = Promise.withResolvers<'proceed'>();
    agent.driver.fault('create', () => go.promise);
    const create = (guest = spec()) => agent.command(guest.vmId, { kind: 'create', spec: guest });
    const running = [create(), create()];
    expect(await create()).toMatchObject({ outcome: 'failed', code: 'busy', retryable: true });
    go.resolve('proceed');
    for (const reply of await Promise.all(running)) expect(reply).toMatchObject({ outcome: 'done' });
    expect(await create()).toMatchObject({ outcome: 'done' });
  });

  it('runs the commands of one VM in order, and those of other VMs concurrently', async () => {
    const [slow, quick] = [spec(), spec()];
    const go = Promise.withResolvers<'proceed'>();
    agent.driver.fault('create', () => go.promise);
    const order: string[] = [];
    const first = agent.done(slow.vmId, { kind: 'create', spec: slow }).then(() => order.push('create'));
    const second = agent.done(slow.vmId, { kind: 'start', spec: slow }).then(() => order.push('start'));
    await agent.until(() => agent.driver.calls.includes('create'));
    agent.driver.mend();
    await agent.done(quick.vmId, { kind: 'create', spec: quick }).then(() => order.push('other'));
    go.resolve('proceed');
    await Promise.all([first, second]);
    expect(order).toEqual(['other', 'create', 'start']);
  });

  it('shows a console to a sender with any fence, since that has no effect', async () => {
    const guest = await agent.running();
    await agent.done(guest.vmId, { kind: 'observe' }, { fence: 9 });
    const log = await agent.command(guest.vmId, { kind: 'console-log', maxBytes: 1_000 }, { fence: 1 });
    expect(log).toMatchObject({ outcome: 'done', text: expect.stringContaining('NOVACRON-GUEST-UP') });
  });

  it('draws every number before it observes, so that numbers increase with the observations', async () => {
    const guest = await agent.running();
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => agent.command(guest.vmId, { kind: 'observe' })),
    );
    const numbers = replies.map(({ seq }) => seq);
    expect(new Set(numbers).size).toBe(20);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  });
});
