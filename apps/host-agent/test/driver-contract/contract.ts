import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { newId } from '@novacron/contracts/ids';
import { DriverError } from '../../src/drivers/driver.js';
import { AgentHarness, type DriverSubject } from './agent-harness.js';
import type { Fault } from './faulty-driver.js';

const hangs: Fault = (signal) =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
const lies: Fault = async () => 'lie';

/** The contract of every driver and the agent above it. Both drivers run it against a real host. */
export function describeDriverContract(
  name: string,
  prepare: () => Promise<DriverSubject>,
  timeoutMs = 60_000,
): void {
  describe(`the ${name} driver, commanded by the agent`, () => {
    let subject: DriverSubject;
    let agent: AgentHarness;
    beforeEach(async () => {
      subject = await prepare();
      agent = await AgentHarness.open(subject);
    }, timeoutMs);
    afterEach(async () => {
      agent.driver.mend();
      await agent.close();
      await subject.dispose();
    }, timeoutMs);

    it(
      'takes a VM through its whole life',
      async () => {
        const spec = await agent.up();
        const { vmId } = spec;
        await agent.until(async () => (await agent.driver.observe(vmId)).ready === true);
        expect(await agent.done(vmId, { kind: 'observe' })).toEqual({
          vmId,
          power: 'running',
          incarnation: 1,
          reason: null,
          ready: true,
        });
        expect(await agent.done(vmId, { kind: 'pause' })).toMatchObject({ power: 'paused' });
        expect(await agent.done(vmId, { kind: 'resume' })).toMatchObject({ power: 'running' });
        const log = await agent.command(vmId, { kind: 'console-log', maxBytes: 4_096 });
        expect(log).toMatchObject({ outcome: 'done', text: expect.stringContaining('NOVACRON-GUEST-UP') });
        const notified: string[] = [];
        agent.driver.watch((changed) => notified.push(changed));
        await agent.done(vmId, { kind: 'shutdown' });
        await agent.until(async () => (await agent.driver.observe(vmId)).power === 'stopped');
        expect(await agent.driver.observe(vmId)).toMatchObject({ reason: 'guest_shutdown', incarnation: 1 });
        await agent.until(() => notified.includes(vmId));
        expect(await agent.done(vmId, { kind: 'start', spec })).toMatchObject({
          power: 'running',
          incarnation: 2,
        });
        expect(await agent.done(vmId, { kind: 'reset' })).toMatchObject({ power: 'running', incarnation: 2 });
        expect(await agent.done(vmId, { kind: 'force-stop' })).toMatchObject({ power: 'stopped' });
        expect(await agent.done(vmId, { kind: 'delete' })).toMatchObject({ power: 'absent' });
        expect(await agent.driver.list()).toEqual([]);
      },
      timeoutMs,
    );

    it(
      'measures running guests only',
      async () => {
        const { vmId } = await agent.running();
        const [sample] = await agent.driver.samples();
        expect(sample?.vmId).toBe(vmId);
        expect(Object.keys(sample?.values ?? {}).sort()).toEqual([
          'cpu_usage',
          'disk_read_bytes',
          'disk_write_bytes',
          'memory_usage',
          'network_recv',
          'network_sent',
        ]);
        for (const percent of [sample?.values.cpu_usage, sample?.values.memory_usage]) {
          expect(percent).toBeGreaterThanOrEqual(0);
          expect(percent).toBeLessThanOrEqual(100);
        }
        await agent.done(vmId, { kind: 'force-stop' });
        expect(await agent.driver.samples()).toEqual([]);
      },
      timeoutMs,
    );

    it(
      'reboots a guest, gracefully or by force',
      async () => {
        const { vmId } = await agent.up();
        const graceful = await agent.done(vmId, { kind: 'reboot', graceMs: 20_000 });
        expect(graceful).toMatchObject({ power: 'running', incarnation: 2 });
        expect(await agent.done(vmId, { kind: 'reboot', graceMs: 0 })).toMatchObject({ power: 'running' });
      },
      timeoutMs,
    );

    it(
      'repeats every operation without harm when another command asks for it',
      async () => {
        const spec = subject.spec();
        const { vmId } = spec;
        for (let time = 0; time < 2; time++) await agent.done(vmId, { kind: 'create', spec });
        for (let time = 0; time < 2; time++) {
          expect(await agent.done(vmId, { kind: 'start', spec })).toMatchObject({
            power: 'running',
            incarnation: 1,
          });
        }
        for (let time = 0; time < 2; time++) await agent.done(vmId, { kind: 'pause' });
        for (let time = 0; time < 2; time++) await agent.done(vmId, { kind: 'resume' });
        for (let time = 0; time < 2; time++) await agent.done(vmId, { kind: 'force-stop' });
        for (let time = 0; time < 2; time++) await agent.done(vmId, { kind: 'delete' });
      },
      timeoutMs,
    );

    it(
      'refuses invalid operations, and says why',
      async () => {
        const spec = subject.spec();
        const { vmId } = spec;
        const wrongImage = { ...spec, config: { ...spec.config, image: 'no-such-image' } };
        const reply = await agent.command(vmId, { kind: 'create', spec: wrongImage });
        expect(reply).toMatchObject({
          outcome: 'failed',
          code: 'no_image',
          retryable: false,
          fact: { power: 'absent' },
        });
        expect(await agent.command(vmId, { kind: 'start', spec })).toMatchObject({
          outcome: 'failed',
          code: 'not_found',
        });
        expect(await agent.command(vmId, { kind: 'pause' })).toMatchObject({
          outcome: 'failed',
          code: 'not_found',
        });
        await agent.done(vmId, { kind: 'create', spec });
        expect(await agent.command(vmId, { kind: 'pause' })).toMatchObject({
          outcome: 'failed',
          code: 'invalid_state',
        });
        expect(await agent.command(vmId, { kind: 'reboot', graceMs: 0 })).toMatchObject({
          code: 'invalid_state',
        });
      },
      timeoutMs,
    );

    it(
      'executes a duplicate command once, while it runs and afterwards',
      async () => {
        const spec = subject.spec();
        await agent.done(spec.vmId, { kind: 'create', spec });
        const ask = () => agent.command(spec.vmId, { kind: 'start', spec }, { commandId: 'job:start' });
        const [first, second] = await Promise.all([ask(), ask()]);
        expect(first).toMatchObject({ outcome: 'done', fact: { incarnation: 1 } });
        expect(second).toEqual(first);
        expect(await ask()).toEqual(first);
        expect(agent.driver.calls).toEqual(['create', 'start']);
      },
      timeoutMs,
    );

    it(
      'refuses an old fence and another epoch, also after a restart',
      async () => {
        const spec = subject.spec();
        const { vmId } = spec;
        await agent.done(vmId, { kind: 'create', spec }, { fence: 7 });
        expect(await agent.command(vmId, { kind: 'delete' }, { fence: 6 })).toMatchObject({
          outcome: 'fenced',
        });
        await agent.restart();
        expect(await agent.command(vmId, { kind: 'delete' }, { fence: 6 })).toMatchObject({
          outcome: 'fenced',
        });
        expect(await agent.command(vmId, { kind: 'delete' }, { fence: 8, epoch: 1 })).toMatchObject({
          outcome: 'fenced',
        });
        expect(await agent.driver.observe(vmId)).toMatchObject({ power: 'stopped' });
        await agent.done(vmId, { kind: 'delete' }, { fence: 7 });
        await agent.restart();
        const late = await agent.command(vmId, { kind: 'create', spec }, { fence: 6 });
        expect(late).toMatchObject({ outcome: 'fenced' });
      },
      timeoutMs,
    );

    it(
      'repeats the reply of a command without a second effect, also after a restart',
      async () => {
        const spec = subject.spec();
        const { vmId } = spec;
        await agent.done(vmId, { kind: 'create', spec });
        await agent.done(vmId, { kind: 'start', spec }, { commandId: 'job:start' });
        await agent.restart();
        const again = await agent.command(
          vmId,
          { kind: 'start', spec },
          { commandId: 'job:start', fence: 2 },
        );
        expect(again).toMatchObject({
          outcome: 'done',
          epoch: 2,
          fact: { power: 'running', incarnation: 1 },
        });
        expect(agent.driver.calls).toEqual([]);
      },
      timeoutMs,
    );

    it(
      'answers accepted on a slow host, announces the end, and repeats it on request',
      async () => {
        await agent.restart({ acceptAfterMs: 50 });
        const spec = subject.spec();
        const go = Promise.withResolvers<'proceed'>();
        agent.driver.fault('create', () => go.promise);
        const ask = () => agent.command(spec.vmId, { kind: 'create', spec }, { commandId: 'job:create' });
        expect(await ask()).toMatchObject({ outcome: 'accepted' });
        expect(await ask()).toMatchObject({ outcome: 'accepted' });
        go.resolve('proceed');
        await agent.until(() => agent.ended.length > 0);
        expect(agent.ended).toEqual([
          { commandId: 'job:create', reply: expect.objectContaining({ outcome: 'done' }) },
        ]);
        expect(await ask()).toEqual(agent.ended[0]?.reply);
        expect(agent.driver.calls).toEqual(['create']);
      },
      timeoutMs,
    );

    it(
      'gives force-stop and delete precedence over a slow command in flight',
      async () => {
        const spec = subject.spec();
        const { vmId } = spec;
        await agent.done(vmId, { kind: 'create', spec });
        agent.driver.fault('start', hangs);
        const slow = agent.command(vmId, { kind: 'start', spec }, { fence: 2 });
        const behind = agent.command(vmId, { kind: 'pause' }, { fence: 2 });
        expect(await agent.done(vmId, { kind: 'force-stop' }, { fence: 3 })).toMatchObject({
          power: 'stopped',
        });
        expect(await slow).toMatchObject({ outcome: 'fenced' });
        expect(await behind).toMatchObject({ outcome: 'fenced' });
        const slower = agent.command(vmId, { kind: 'start', spec }, { fence: 4 });
        expect(await agent.done(vmId, { kind: 'delete' }, { fence: 4 })).toMatchObject({ power: 'absent' });
        expect(await slower).toMatchObject({ outcome: 'failed', code: 'busy', retryable: true });
        expect(await agent.driver.list()).toEqual([]);
      },
      timeoutMs,
    );

    it(
      'trusts its observation, not a wrong success of the host',
      async () => {
        const spec = subject.spec();
        const { vmId } = spec;
        await agent.done(vmId, { kind: 'create', spec });
        agent.driver.fault('start', lies);
        const reply = await agent.command(vmId, { kind: 'start', spec }, { commandId: 'job:start' });
        expect(reply).toMatchObject({
          outcome: 'failed',
          retryable: true,
          fact: { power: 'stopped', incarnation: 0 },
        });
        agent.driver.mend();
        const again = await agent.done(vmId, { kind: 'start', spec }, { commandId: 'job:start' });
        expect(again).toMatchObject({ power: 'running', incarnation: 1 });
      },
      timeoutMs,
    );

    it(
      'fails retryably while the hypervisor is away, and succeeds with the same command afterwards',
      async () => {
        const spec = subject.spec();
        agent.driver.fault('create', () =>
          Promise.reject(new DriverError('driver_error', 'the host is gone', true)),
        );
        const ask = () => agent.command(spec.vmId, { kind: 'create', spec }, { commandId: 'job:create' });
        expect(await ask()).toMatchObject({ outcome: 'failed', code: 'driver_error', retryable: true });
        agent.driver.mend();
        expect(await ask()).toMatchObject({ outcome: 'done', fact: { power: 'stopped' } });
      },
      timeoutMs,
    );

    it(
      'finds its guests again after a restart of the agent',
      async () => {
        const { vmId } = await agent.running();
        await agent.restart();
        const ready = expect.any(Boolean);
        expect(await agent.driver.list()).toEqual([
          { vmId, power: 'running', incarnation: 1, reason: null, ready },
        ]);
        expect((await agent.driver.samples()).map((sample) => sample.vmId)).toEqual([vmId]);
        expect(await agent.done(vmId, { kind: 'force-stop' }, { fence: 2 })).toMatchObject({
          power: 'stopped',
        });
        expect(await agent.command(newId(), { kind: 'observe' })).toMatchObject({
          fact: { power: 'absent' },
        });
      },
      timeoutMs,
    );
  });
}
