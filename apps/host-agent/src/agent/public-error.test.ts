import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { CommandReply, GuestSpec } from '@novacron/contracts/agents';
import { newId } from '@novacron/contracts/ids';
import fc from 'fast-check';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../time/clock.js';
import { AgentHarness, type CommandBody } from '../../test/driver-contract/agent-harness.js';
import { DriverError } from '../drivers/driver.js';
import { SimulatedDriver } from '../drivers/simulated/driver.js';
import { NO_FAILURES, parseLatencies } from '../config.js';
import { seededRandom } from '@novacron/async/random';
import { asDriverError, isPublic } from './public-error.js';

const segment = fc.stringMatching(/^[a-z][a-z0-9._-]{0,12}$/);
const path = fc.array(segment, { minLength: 1, maxLength: 5 }).map((parts) => `/${parts.join('/')}`);
/** Internal details of a host, as Node, QEMU and the kernel write them. */
const internal = fc.oneof(
  path.map((at) => `ENOENT: no such file or directory, open '${at}'`),
  path.map((at) => `Could not open '${at}': Permission denied`),
  path.map((at) => `connect ECONNREFUSED ${at}/qmp.sock`),
  path.map((at) => `qemu-system-x86_64: -drive file=${at}: failed to get "write" lock`),
  path.map((at) => `boom\n    at run (file://${at}:12:5)`),
  fc.integer({ min: 2, max: 99_999 }).map((pid) => `process ${pid} does not end`),
  fc.ipV4().map((address) => `connect ECONNREFUSED ${address}:4222`),
  fc.constant('disk.qcow2 is locked'),
);

describe('an error of a driver', () => {
  let folder: string;
  let agent: AgentHarness;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'novacron-public-'));
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
    const config = { cpu: 1, memory: 512, disk: 1, image: 'ubuntu-22.04' };
    return { vmId: newId(), name: 'web', config, userData: null, sshKeys: [] };
  }

  it('shows tenants no internal detail of the host, for any error and any command', async () => {
    const commands: [CommandBody['kind'], (guest: GuestSpec) => CommandBody][] = [
      ['create', (guest) => ({ kind: 'create', spec: guest })],
      ['start', (guest) => ({ kind: 'start', spec: guest })],
      ['pause', () => ({ kind: 'pause' })],
      ['reboot', () => ({ kind: 'reboot', graceMs: 0 })],
      ['delete', () => ({ kind: 'delete' })],
    ];
    const kinds = fc.constantFrom(...commands);
    const wrapped = fc.constantFrom<(text: string) => Error>(
      (text) => new Error(text),
      (text) => Object.assign(new Error(text), { code: 'ENOSPC' }),
      (text) => new DriverError('driver_error', text, true),
    );
    await fc.assert(
      fc.asyncProperty(internal, kinds, wrapped, async (text, [kind, body], wrap) => {
        const guest = spec();
        agent.driver.fault(kind as 'create', () => Promise.reject(wrap(text)));
        const reply: CommandReply = await agent.command(guest.vmId, body(guest));
        agent.driver.mend();
        expect(reply.outcome).toBe('failed');
        const { detail } = reply as Extract<CommandReply, { outcome: 'failed' }>;
        expect(isPublic(detail)).toBe(true);
        expect(detail).not.toContain(text);
      }),
      { numRuns: 200 },
    );
  });

  it('keeps the reason for the log', () => {
    const cause = new Error('/srv/novacron/vms is gone');
    expect(asDriverError(cause)).toMatchObject({ code: 'driver_error', cause });
    const leaky = new DriverError('no_space', '/srv is full', true);
    expect(asDriverError(leaky)).toMatchObject({ code: 'no_space', retryable: true, cause: leaky });
  });

  it('has public text everywhere in the agent', async () => {
    const root = join(import.meta.dirname, '..');
    const files = (await readdir(root, { recursive: true })).filter(
      (name) => name.endsWith('.ts') && !name.endsWith('.test.ts'),
    );
    const texts: string[] = [];
    for (const file of files) {
      const source = await readFile(join(root, file), 'utf8');
      for (const [, quoted = ''] of source.matchAll(/new DriverError\(\s*'\w+',\s*(['`][^'`]*['`])/g)) {
        texts.push(quoted.slice(1, -1));
      }
    }
    expect(texts.length).toBeGreaterThan(10);
    expect(texts.filter((text) => !isPublic(text) || /\b(folder|path|file|pid)\b/.test(text))).toEqual([]);
  });
});
