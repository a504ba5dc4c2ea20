import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inheritedEnvironment } from '../src/config.js';
import { layout, type Layout } from '../src/layout.js';
import { waitUntil } from '../src/supervisor/processes.js';
import { Supervisor } from '../src/supervisor/supervisor.js';

let home: string;
let paths: Layout;
let supervisor: Supervisor;
let states: string[];
let works: boolean;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'nc-back-'));
  paths = layout(home);
  for (const folder of [paths.run, paths.log]) mkdirSync(folder, { recursive: true });
  states = [];
  works = true;
  const program = {
    name: 'x',
    file: process.execPath,
    args: ['-e', 'setInterval(() => {}, 1000)'],
    env: inheritedEnvironment(),
    marker: 'x',
    stopSignal: 'SIGTERM' as const,
    stopGraceMs: 5_000,
    ready: async () => true,
  };
  const component = {
    name: 'x',
    readyWithinMs: 60_000,
    program: () => program,
    works: async () => works,
  };
  supervisor = new Supervisor(component, paths, () => states.push(supervisor.status.state));
  await supervisor.start();
});
afterEach(async () => {
  await supervisor.stop();
  rmSync(home, { recursive: true, force: true });
});

async function killed(times: number): Promise<void> {
  process.kill(supervisor.status.pid as number, 'SIGKILL');
  const back = async () => supervisor.status.restarts === times && supervisor.status.state === 'running';
  expect(await waitUntil(back, 60_000)).toBe(true);
}

describe('a supervised program that was killed', () => {
  it('restarts at once, and after a pause when it soon ends again', async () => {
    await killed(1);
    expect(states).not.toContain('waiting');
    await killed(2);
    expect(states).toContain('waiting');
  });
});

describe('a supervised program that runs but no longer works', () => {
  it('is ended and restarted', async () => {
    const { pid } = supervisor.status;
    works = false;
    expect(await waitUntil(async () => supervisor.status.restarts === 1, 60_000)).toBe(true);
    works = true;
    expect(await waitUntil(async () => supervisor.status.state === 'running', 60_000)).toBe(true);
    expect(supervisor.status.pid).not.toBe(pid);
  });
});
