import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { VmId } from '@novacron/contracts/ids';
import { until } from '@novacron/testkit/wait';
import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { JobRow } from '../src/jobs/row.js';
import { OrchestratorHarness } from './support/orchestrator-harness.js';

const HOUR_MS = 3_600_000;
const GRACE_S = 5;

let harness: OrchestratorHarness;
const RealDate = Date;
beforeAll(async () => {
  harness = await OrchestratorHarness.start();
});
afterAll(() => harness.stop());
afterEach(() => {
  globalThis.Date = RealDate;
  harness.host.obeysShutdown = true;
});

/** Sets the clock of this process. */
function setClock(byMs: number): void {
  globalThis.Date = class extends RealDate {
    constructor(...args: [] | [number]) {
      super(args.length === 0 ? RealDate.now() + byMs : (args[0] as number));
    }
    static override now = () => RealDate.now() + byMs;
  } as DateConstructor;
}

/** When the host received which command, by the monotonic clock of this process. */
function receivedAt(vmId: VmId, kind: string): Promise<number> {
  return new Promise((resolve) => {
    const before = harness.host.interfere;
    harness.host.interfere = (command, host) => {
      if (command.vmId === vmId && command.kind === kind) resolve(performance.now());
      return before(command, host);
    };
  });
}

/** Stops a VM whose guest does not react to the power button. @returns milliseconds from the button to the force */
async function graceOf(id: VmId, meanwhile: () => void): Promise<number> {
  const pressed = receivedAt(id, 'shutdown');
  const forced = receivedAt(id, 'force-stop');
  await harness.act(id, 'stop', GRACE_S);
  const at = await pressed;
  meanwhile();
  return (await forced) - at;
}

async function expectStopped(id: VmId): Promise<void> {
  expect(await harness.until(id, (vm) => vm.task === null)).toMatchObject({
    state: 'stopped',
    stop_reason: 'user',
  });
  const job = await harness.one<JobRow>(
    `SELECT * FROM orchestrator.jobs WHERE vm_id = $1 AND kind = 'stop'`,
    [id],
  );
  expect([job.status, job.error]).toEqual(['succeeded', null]);
}

/**
 * The grace is counted from the moment before the shutdown is sent, and measured from its arrival, which a busy machine
 * delays. A clock that is an hour off would give none, or an hour.
 */
const LEAST_GRACE_MS = GRACE_S * 500;

describe('an orchestrator whose clock is set', () => {
  it.each([
    ['back', -HOUR_MS],
    ['forward', HOUR_MS],
  ])('an hour %s during a stop gives the guest its grace, no less and not much more', async (way, byMs) => {
    const { id } = await harness.running(`set-${way}`);
    harness.host.obeysShutdown = false;
    const grace = await graceOf(id, () => setClock(byMs));
    expect(grace).toBeGreaterThan(LEAST_GRACE_MS);
    await expectStopped(id);
  });

  it('stamps VMs and jobs by the clock of the database', async () => {
    setClock(HOUR_MS);
    const { id } = await harness.running('stamped-1');
    setClock(0);
    const far = await harness.one<{ vm: number; job: number; deadline: number }>(
      `SELECT abs(extract(epoch FROM v.created_at - now()))::float8 AS vm,
        abs(extract(epoch FROM j.updated_at - now()))::float8 AS job,
        abs(extract(epoch FROM j.deadline - now()))::float8 AS deadline
       FROM orchestrator.vms v JOIN orchestrator.jobs j ON j.vm_id = v.id WHERE v.id = $1`,
      [id],
    );
    for (const seconds of Object.values(far)) expect(seconds).toBeLessThan(600);
  });
});

describe('two orchestrators whose clocks are an hour apart', () => {
  let child: ChildProcess | undefined;
  afterEach(async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    child?.once('exit', () => resolve());
    if (child?.kill('SIGTERM')) await promise;
  });

  it.each([
    ['ahead', HOUR_MS],
    ['behind', -HOUR_MS],
  ])('give guests their grace together when one is %s', async (way, byMs) => {
    const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));
    const skew = `const Real = Date; globalThis.Date = class extends Real {
      constructor(...args) { args.length === 0 ? super(Real.now() + ${byMs}) : super(...args); }
      static now() { return Real.now() + ${byMs}; } };`;
    const preload = `data:text/javascript,${encodeURIComponent(skew)}`;
    const env = {
      PATH: process.env['PATH'],
      ...harness.servers.env('orchestrator'),
      NOVACRON_LOG_LEVEL: 'error',
    };
    child = spawn(process.execPath, ['--import', preload, main], {
      env,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const workers = () =>
      harness.one<{ n: number }>(
        `SELECT count(*)::int AS n FROM orchestrator.workers WHERE seen_at > now() - interval '3 s'`,
      );
    await until(async () => (await workers()).n === 2);

    const ids = await Promise.all(
      Array.from({ length: 8 }, async (_, i) => (await harness.running(`apart-${way}-${i}`)).id),
    );
    harness.host.obeysShutdown = false;
    // Each looks at the guests about four times a second: over the grace both have had all of them.
    const graces = await Promise.all(ids.map((id) => graceOf(id, () => undefined)));
    for (const grace of graces) expect(grace).toBeGreaterThan(LEAST_GRACE_MS);
    for (const id of ids) await expectStopped(id);
  });
});

describe('the source', () => {
  it('reads the clock of its process only in clock.ts', () => {
    const src = fileURLToPath(new URL('../src/', import.meta.url));
    const readers = readdirSync(src, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && file !== 'clock.ts')
      .filter((file) => /Date\.now\b|new Date\(\)/.test(readFileSync(`${src}${file}`, 'utf8')));
    expect(readers).toEqual([]);
  });
});
