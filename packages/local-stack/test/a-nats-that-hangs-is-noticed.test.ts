import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { adminNatsUser } from '@novacron/provisioning/nats-permissions';
import { jetStreamWorks } from '../src/servers/nats-health.js';
import { natsProgram, prepareNats } from '../src/servers/nats-server.js';
import { anyFreePort } from '../src/servers/ports.js';
import { endProcess, startProgram, waitUntil } from '../src/supervisor/processes.js';

const PASSWORD = 'secret';

let dir: string;
let port: number;
let server: ChildProcess;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'nc-nats-'));
  port = await anyFreePort();
  const options = { name: 'nats', dir, port };
  prepareNats(options, [adminNatsUser(PASSWORD)]);
  const program = natsProgram(options);
  server = startProgram(program, join(dir, 'log'), join(dir, 'pid'));
  expect(await waitUntil(() => program.ready(), 60_000)).toBe(true);
});
afterEach(async () => {
  server.kill('SIGCONT');
  await endProcess(server.pid as number);
  rmSync(dir, { recursive: true, force: true });
});

const works = () => jetStreamWorks({ dir, port, password: PASSWORD });

describe('the health check of NATS', () => {
  it('passes while JetStream lists its streams, and fails while it hangs', async () => {
    expect(await waitUntil(works, 60_000)).toBe(true);
    server.kill('SIGSTOP');
    // The kernel may let the process answer once more after the signal was sent.
    expect(await waitUntil(async () => !(await works()), 60_000)).toBe(true);
    server.kill('SIGCONT');
    expect(await waitUntil(works, 60_000)).toBe(true);
  });
});
