import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Keeper } from '../src/keeper.js';
import { layout, logFile, pidFile, type Layout } from '../src/layout.js';
import { inheritedEnvironment } from '../src/config.js';
import { waitUntil } from '../src/processes.js';
import { readStatus, StatusWriter, type StackStatus } from '../src/stack-status.js';

/** Answers each write with ENOSPC, as a full disk does. */
const FULL = '/dev/full';

let home: string;
let paths: Layout;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'nc-full-'));
  paths = layout(home);
  for (const folder of [paths.run, paths.log]) mkdirSync(folder, { recursive: true });
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

describe('a supervised program', () => {
  it('runs, and is started again after its end, though its log and pid file cannot be written', async () => {
    symlinkSync(FULL, logFile(paths, 'x'));
    symlinkSync(FULL, pidFile(paths, 'x'));
    const keeper = new Keeper(
      {
        name: 'x',
        readyWithinMs: 60_000,
        program: () => ({
          name: 'x',
          file: process.execPath,
          args: [
            '-e',
            'process.stdout.on("error", () => {}); console.log("up"); setInterval(() => {}, 1000)',
          ],
          env: inheritedEnvironment(),
          marker: 'x',
          stopSignal: 'SIGTERM',
          stopGraceMs: 5_000,
          ready: async () => true,
        }),
      },
      paths,
      () => undefined,
    );
    await keeper.start();
    const { pid } = keeper.status;
    process.kill(pid as number, 'SIGKILL');
    const again = async () => keeper.status.restarts > 0 && keeper.status.state === 'running';
    expect(await waitUntil(again, 60_000)).toBe(true);
    expect(keeper.status.pid).not.toBe(pid);
    await keeper.stop();
    expect(keeper.status.state).toBe('stopped');
  });
});

describe('the status of the stack', () => {
  it('is written when there is room again', async () => {
    const blocked = join(paths.run, 'status.json.new');
    symlinkSync(FULL, blocked);
    const status: StackStatus = { phase: 'running', url: 'u', startedAt: 's', components: [] };
    new StatusWriter(paths, () => status).write();
    expect(existsSync(join(paths.run, 'status.json'))).toBe(false);
    rmSync(blocked);
    expect(await waitUntil(async () => readStatus(paths)?.phase === 'running', 60_000)).toBe(true);
  });
});
