import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { newId } from '@novacron/contracts/ids';
import { DriverError } from '../drivers/driver.js';
import { Desk, type DriverSubject } from './desk.js';
import type { Fault } from './faulty-driver.js';

const hangs: Fault = (signal) =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
const lies: Fault = async () => 'lie';

/** What every driver and the agent above it promise. Both drivers run it against a real host of theirs. */
export function describeDriverContract(
  name: string,
  prepare: () => Promise<DriverSubject>,
  timeoutMs = 60_000,
): void {
  describe(`the ${name} driver, commanded by the agent`, () => {
    let subject: DriverSubject;
    let desk: Desk;
    beforeEach(async () => {
      subject = await prepare();
      desk = await Desk.open(subject);
    }, timeoutMs);
    afterEach(async () => {
      desk.driver.mend();
      await desk.close();
      await subject.dispose();
    }, timeoutMs);

    it(
      'takes a VM through its whole life',
      async () => {
        const spec = await desk.up();
        const { vmId } = spec;
        await desk.until(async () => (await desk.driver.observe(vmId)).ready === true);
        expect(await desk.done(vmId, { kind: 'observe' })).toEqual({
          vmId,
          power: 'running',
          incarnation: 1,
          reason: null,
          ready: true,
        });
        expect(await desk.done(vmId, { kind: 'pause' })).toMatchObject({ power: 'paused' });
        expect(await desk.done(vmId, { kind: 'resume' })).toMatchObject({ power: 'running' });
        const log = await desk.command(vmId, { kind: 'console-log', maxBytes: 4_096 });
        expect(log).toMatchObject({ outcome: 'done', text: expect.stringContaining('NOVACRON-GUEST-UP') });
        const told: string[] = [];
        desk.driver.watch((changed) => told.push(changed));
        await desk.done(vmId, { kind: 'shutdown' });
        await desk.until(async () => (await desk.driver.observe(vmId)).power === 'stopped');
        expect(await desk.driver.observe(vmId)).toMatchObject({ reason: 'guest_shutdown', incarnation: 1 });
        await desk.until(() => told.includes(vmId));
        expect(await desk.done(vmId, { kind: 'start', spec })).toMatchObject({
          power: 'running',
          incarnation: 2,
        });
        expect(await desk.done(vmId, { kind: 'reset' })).toMatchObject({ power: 'running', incarnation: 2 });
        expect(await desk.done(vmId, { kind: 'force-stop' })).toMatchObject({ power: 'stopped' });
        expect(await desk.done(vmId, { kind: 'delete' })).toMatchObject({ power: 'absent' });
        expect(await desk.driver.list()).toEqual([]);
      },
      timeoutMs,
    );

    it(
      'measures the guests that run, and only those',
      async () => {
        const { vmId } = await desk.running();
        const [sample] = await desk.driver.samples();
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
        await desk.done(vmId, { kind: 'force-stop' });
        expect(await desk.driver.samples()).toEqual([]);
      },
      timeoutMs,
    );

    it(
      'reboots a guest, gracefully or by force',
      async () => {
        const { vmId } = await desk.running();
        const graceful = await desk.done(vmId, { kind: 'reboot', graceMs: 20_000 });
        expect(graceful).toMatchObject({ power: 'running', incarnation: 2 });
        expect(await desk.done(vmId, { kind: 'reboot', graceMs: 0 })).toMatchObject({ power: 'running' });
      },
      timeoutMs,
    );

    it(
      'does everything a second time when it is asked by another command, without harm',
      async () => {
        const spec = subject.spec();
        const { vmId } = spec;
        for (let time = 0; time < 2; time++) await desk.done(vmId, { kind: 'create', spec });
        for (let time = 0; time < 2; time++) {
          expect(await desk.done(vmId, { kind: 'start', spec })).toMatchObject({
            power: 'running',
            incarnation: 1,
          });
        }
        for (let time = 0; time < 2; time++) await desk.done(vmId, { kind: 'pause' });
        for (let time = 0; time < 2; time++) await desk.done(vmId, { kind: 'resume' });
        for (let time = 0; time < 2; time++) await desk.done(vmId, { kind: 'force-stop' });
        for (let time = 0; time < 2; time++) await desk.done(vmId, { kind: 'delete' });
      },
      timeoutMs,
    );

    it(
      'refuses what cannot be, and says so',
      async () => {
        const spec = subject.spec();
        const { vmId } = spec;
        const wrongImage = { ...spec, config: { ...spec.config, image: 'no-such-image' } };
        const reply = await desk.command(vmId, { kind: 'create', spec: wrongImage });
        expect(reply).toMatchObject({
          outcome: 'failed',
          code: 'no_image',
          retryable: false,
          fact: { power: 'absent' },
        });
        expect(await desk.command(vmId, { kind: 'start', spec })).toMatchObject({
          outcome: 'failed',
          code: 'not_found',
        });
        expect(await desk.command(vmId, { kind: 'pause' })).toMatchObject({
          outcome: 'failed',
          code: 'not_found',
        });
        await desk.done(vmId, { kind: 'create', spec });
        expect(await desk.command(vmId, { kind: 'pause' })).toMatchObject({
          outcome: 'failed',
          code: 'invalid_state',
        });
        expect(await desk.command(vmId, { kind: 'reboot', graceMs: 0 })).toMatchObject({
          code: 'invalid_state',
        });
      },
      timeoutMs,
    );

    it(
      'executes a duplicate command once, while it runs and afterwards',
      async () => {
        const spec = subject.spec();
        await desk.done(spec.vmId, { kind: 'create', spec });
        const ask = () => desk.command(spec.vmId, { kind: 'start', spec }, { commandId: 'job:start' });
        const [first, second] = await Promise.all([ask(), ask()]);
        expect(first).toMatchObject({ outcome: 'done', fact: { incarnation: 1 } });
        expect(second).toEqual(first);
        expect(await ask()).toEqual(first);
        expect(desk.driver.calls).toEqual(['create', 'start']);
      },
      timeoutMs,
    );

    it(
      'refuses an old fence and another epoch, also after a restart',
      async () => {
        const spec = subject.spec();
        const { vmId } = spec;
        await desk.done(vmId, { kind: 'create', spec }, { fence: 7 });
        expect(await desk.command(vmId, { kind: 'delete' }, { fence: 6 })).toMatchObject({
          outcome: 'fenced',
        });
        await desk.restart();
        expect(await desk.command(vmId, { kind: 'delete' }, { fence: 6 })).toMatchObject({
          outcome: 'fenced',
        });
        expect(await desk.command(vmId, { kind: 'delete' }, { fence: 8, epoch: 1 })).toMatchObject({
          outcome: 'fenced',
        });
        expect(await desk.driver.observe(vmId)).toMatchObject({ power: 'stopped' });
        await desk.done(vmId, { kind: 'delete' }, { fence: 7 });
        await desk.restart();
        const late = await desk.command(vmId, { kind: 'create', spec }, { fence: 6 });
        expect(late).toMatchObject({ outcome: 'fenced' });
      },
      timeoutMs,
    );

    it(
      'answers a command whose reply was lost again, without a second effect, also after a restart',
      async () => {
        const spec = subject.spec();
        const { vmId } = spec;
        await desk.done(vmId, { kind: 'create', spec });
        await desk.done(vmId, { kind: 'start', spec }, { commandId: 'job:start' });
        await desk.restart();
        const again = await desk.command(vmId, { kind: 'start', spec }, { commandId: 'job:start', fence: 2 });
        expect(again).toMatchObject({
          outcome: 'done',
          epoch: 2,
          fact: { power: 'running', incarnation: 1 },
        });
        expect(desk.driver.calls).toEqual([]);
      },
      timeoutMs,
    );

    it(
      'says accepted on a slow host, announces the end, and answers it when asked again',
      async () => {
        await desk.restart({ acceptAfterMs: 50 });
        const spec = subject.spec();
        const go = Promise.withResolvers<'proceed'>();
        desk.driver.fault('create', () => go.promise);
        const ask = () => desk.command(spec.vmId, { kind: 'create', spec }, { commandId: 'job:create' });
        expect(await ask()).toMatchObject({ outcome: 'accepted' });
        expect(await ask()).toMatchObject({ outcome: 'accepted' });
        go.resolve('proceed');
        await desk.until(() => desk.ended.length > 0);
        expect(desk.ended).toEqual([
          { commandId: 'job:create', reply: expect.objectContaining({ outcome: 'done' }) },
        ]);
        expect(await ask()).toEqual(desk.ended[0]?.reply);
        expect(desk.driver.calls).toEqual(['create']);
      },
      timeoutMs,
    );

    it(
      'lets force-stop and delete win over a slow command in flight',
      async () => {
        const spec = subject.spec();
        const { vmId } = spec;
        await desk.done(vmId, { kind: 'create', spec });
        desk.driver.fault('start', hangs);
        const slow = desk.command(vmId, { kind: 'start', spec }, { fence: 2 });
        const behind = desk.command(vmId, { kind: 'pause' }, { fence: 2 });
        expect(await desk.done(vmId, { kind: 'force-stop' }, { fence: 3 })).toMatchObject({
          power: 'stopped',
        });
        expect(await slow).toMatchObject({ outcome: 'fenced' });
        expect(await behind).toMatchObject({ outcome: 'fenced' });
        const slower = desk.command(vmId, { kind: 'start', spec }, { fence: 4 });
        expect(await desk.done(vmId, { kind: 'delete' }, { fence: 4 })).toMatchObject({ power: 'absent' });
        expect(await slower).toMatchObject({ outcome: 'failed', code: 'busy', retryable: true });
        expect(await desk.driver.list()).toEqual([]);
      },
      timeoutMs,
    );

    it(
      'believes what it sees, not what a lying host claims',
      async () => {
        const spec = subject.spec();
        const { vmId } = spec;
        await desk.done(vmId, { kind: 'create', spec });
        desk.driver.fault('start', lies);
        const reply = await desk.command(vmId, { kind: 'start', spec }, { commandId: 'job:start' });
        expect(reply).toMatchObject({
          outcome: 'failed',
          retryable: true,
          fact: { power: 'stopped', incarnation: 0 },
        });
        desk.driver.mend();
        const again = await desk.done(vmId, { kind: 'start', spec }, { commandId: 'job:start' });
        expect(again).toMatchObject({ power: 'running', incarnation: 1 });
      },
      timeoutMs,
    );

    it(
      'fails retryably while the hypervisor is gone, and the same command works when it is back',
      async () => {
        const spec = subject.spec();
        desk.driver.fault('create', () =>
          Promise.reject(new DriverError('driver_error', 'the host is gone', true)),
        );
        const ask = () => desk.command(spec.vmId, { kind: 'create', spec }, { commandId: 'job:create' });
        expect(await ask()).toMatchObject({ outcome: 'failed', code: 'driver_error', retryable: true });
        desk.driver.mend();
        expect(await ask()).toMatchObject({ outcome: 'done', fact: { power: 'stopped' } });
      },
      timeoutMs,
    );

    it(
      'finds its guests again when the agent comes back',
      async () => {
        const { vmId } = await desk.running();
        await desk.restart();
        const ready = expect.any(Boolean);
        expect(await desk.driver.list()).toEqual([
          { vmId, power: 'running', incarnation: 1, reason: null, ready },
        ]);
        expect((await desk.driver.samples()).map((sample) => sample.vmId)).toEqual([vmId]);
        expect(await desk.done(vmId, { kind: 'force-stop' }, { fence: 2 })).toMatchObject({
          power: 'stopped',
        });
        expect(await desk.command(newId(), { kind: 'observe' })).toMatchObject({ fact: { power: 'absent' } });
      },
      timeoutMs,
    );
  });
}
