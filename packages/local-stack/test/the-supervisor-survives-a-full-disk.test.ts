import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inheritedEnvironment } from '../src/config.js';
import { readStatus, StatusWriter, type StackStatus } from '../src/home/status.js';
import { layout, logFile, pidFile, type Layout } from '../src/layout.js';
import { waitUntil } from '../src/supervisor/processes.js';
import { Supervisor } from '../src/supervisor/supervisor.js';

/** Fails each write with ENOSPC, like a full disk. */
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
  it('runs and restarts although its log and pid file cannot be written', async () => {
    symlinkSync(FULL, logFile(paths, 'x'));
    symlinkSync(FULL, pidFile(paths, 'x'));
    const supervisor = new Supervisor(
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
    await supervisor.start();
    const { pid } = supervisor.status;
    process.kill(pid as number, 'SIGKILL');
    const again = async () => supervisor.status.restarts > 0 && supervisor.status.state === 'running';
    expect(await waitUntil(again, 60_000)).toBe(true);
    expect(supervisor.status.pid).not.toBe(pid);
    await supervisor.stop();
    expect(supervisor.status.state).toBe('stopped');
  });
});

describe('the status of the stack', () => {
  it('is written when the disk has space again', async () => {
    const blocked = join(paths.run, 'status.json.new');
    symlinkSync(FULL, blocked);
    const status: StackStatus = { phase: 'running', url: 'u', startedAt: 's', components: [] };
    new StatusWriter(paths, () => status).write();
    expect(existsSync(join(paths.run, 'status.json'))).toBe(false);
    rmSync(blocked);
    expect(await waitUntil(async () => readStatus(paths)?.phase === 'running', 60_000)).toBe(true);
  });
});
