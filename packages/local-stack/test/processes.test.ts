import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadStackConfig } from '../src/config.js';
import { layout, logFile, pidFile } from '../src/layout.js';
import { listeningInodes } from '../src/servers/ports.js';
import { isReachable } from '../src/servers/postgres-home.js';
import { stopOrder } from '../src/stack/stack.js';
import { withFileLock } from '../src/supervisor/file-lock.js';
import { lastLine } from '../src/supervisor/log-tail.js';
import { endProcess, gone, hasMarker, livePid } from '../src/supervisor/processes.js';

let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'novacron-unit-'));
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('a pid file', () => {
  it.each([
    ['is empty', ''],
    ['is not a number', 'abc\n'],
    ['names no live process', '4194303\n'],
    ['names init', '1\n'],
    ['names a stranger', `${process.pid}\n`],
  ])('that %s is stale', (_, text) => {
    const file = join(dir, 'x.pid');
    writeFileSync(file, text);
    expect(livePid(file, '--stack=/nowhere')).toBeUndefined();
  });

  it('with the pid of its program is live', () => {
    const file = join(dir, 'me.pid');
    writeFileSync(file, `${process.pid}\n`);
    expect(livePid(file, '--experimental-vm-modules')).toBe(process.pid);
  });

  it('does not confuse two homes when one name is a prefix of the other', () => {
    expect(hasMarker('node main.js --stack=/a/.novacron2 --name=gateway', '--stack=/a/.novacron')).toBe(
      false,
    );
    expect(hasMarker('postgres -D /a/data', '-D /a/data')).toBe(true);
  });
});

describe('ending a process', () => {
  it('uses SIGKILL when the process ignores the signal', async () => {
    const deaf = spawn(process.execPath, [
      '-e',
      `process.on('SIGTERM', () => {}); console.log('up'); setInterval(() => {}, 1e6)`,
    ]);
    await new Promise((ready) => deaf.stdout.once('data', ready));
    const ended = new Promise((done) => deaf.once('exit', (_, signal) => done(signal)));
    await endProcess(deaf.pid ?? 0, { graceMs: 100 });
    expect(await ended).toBe('SIGKILL');
    expect(await gone(deaf.pid ?? 0, 0)).toBe(true);
  });
});

describe('a lock file', () => {
  it('admits one owner at a time, and is taken over from a dead owner', async () => {
    const path = join(dir, 'lock');
    writeFileSync(path, '4194303');
    let inside = 0;
    let most = 0;
    const work = async () => {
      most = Math.max(most, ++inside);
      await sleep(20);
      inside--;
    };
    await Promise.all(Array.from({ length: 5 }, () => withFileLock(path, 5000, work)));
    expect(most).toBe(1);
  });
});

describe('configuration', () => {
  it('names the variable with a bad value', () => {
    expect(() => loadStackConfig({ NOVACRON_PORT_OFFSET: 'ten' })).toThrow(/NOVACRON_PORT_OFFSET is "ten"/);
    expect(() => loadStackConfig({ NOVACRON_HTTP_PORT: '70000' })).toThrow(/NOVACRON_HTTP_PORT/);
  });

  it('places everything below one home', () => {
    const paths = layout('/srv/nova');
    expect([pidFile(paths, 'redis'), logFile(paths, 'redis'), paths.env]).toEqual([
      '/srv/nova/run/redis.pid',
      '/srv/nova/log/redis.log',
      '/srv/nova/env',
    ]);
  });
});

it('components end before their dependencies', () => {
  const names = [
    'nats',
    'host-agent-sim',
    'postgres-primary',
    'gateway',
    'redis',
    'vm-orchestrator',
    'postgres-replica-1',
  ];
  expect(stopOrder(names)).toEqual([
    ['gateway'],
    ['host-agent-sim', 'vm-orchestrator'],
    ['nats', 'redis'],
    ['postgres-replica-1'],
    ['postgres-primary'],
  ]);
});

it('a listening socket is found in the port table of Linux by port and state', () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1
   1: 0100007F:1F90 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4712 1
   2: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1`;
  expect(listeningInodes(table, 8080)).toEqual(['4711']);
});

it('the last line of a log is the error, not the stack trace', () => {
  const file = join(dir, 'x.log');
  writeFileSync(
    file,
    '{"msg":"starting"}\n{"level":60,"msg":"fatal error","err":{"message":"NOVACRON_X is missing"}}\n    at main (x.js:1)\n\nNode.js v24.21.0\n',
  );
  expect(lastLine(file)).toBe('fatal error: NOVACRON_X is missing');
});

it('a directory below a closed one is not reachable for the postgres user', () => {
  expect(isReachable('/usr/share/x')).toBe(true);
  expect(isReachable(join(dir, 'data'))).toBe(false);
});
