import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { layout } from '../src/layout.js';
import { isFree } from '../src/servers/ports.js';
import { freeOffset, StackProcess } from '../src/stack/stack-process.js';
import { guests } from '../src/supervisor/leftovers.js';
import { commandLine, gone, waitUntil } from '../src/supervisor/processes.js';
import { fakeRepository } from './fake-repository.js';

const names = [
  'cache-invalidator',
  'gateway',
  'host-agent-local',
  'host-agent-sim',
  'metrics-ingest',
  'nats',
  'postgres-primary',
  'postgres-replica-1',
  'redis',
  'vm-orchestrator',
];

let offset: number;
let root: string;
let stack: StackProcess;

const pidOf = (name: string) => stack.pid(name);
const ofThisHome = () => stack.processes();
const environment = () => stack.env();

interface Status {
  running: boolean;
  components: { name: string; state: string; restarts: number; pid: number }[];
}

async function status(): Promise<Status> {
  return JSON.parse((await stack.run('status', '-o', 'json')).stdout) as Status;
}

async function stateOf(name: string) {
  return (await status()).components.find((component) => component.name === name);
}

async function ask(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined); // when the server is killed, the query fails as well
  try {
    await client.connect();
    return (await client.query(sql)).rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'novacron-stack-'));
  offset = await freeOffset();
  const repository = fakeRepository(join(root, 'repository'));
  stack = new StackProcess({ home: join(root, 'home'), offset, repository, simHosts: 2, qemu: true });
  await stack.start();
});

afterAll(async () => {
  await stack.remove();
  rmSync(root, { recursive: true, force: true });
});

describe('a started stack', () => {
  it('prints URL, token and a first curl line, and has a pid file and a log for each component', () => {
    expect(stack.output).toContain(`http://127.0.0.1:${8080 + offset}`);
    expect(stack.output).toContain(environment()['NOVACRON_TOKEN']);
    expect(stack.output).toContain('curl -s ');
    const pids = readdirSync(join(stack.home, 'run')).filter(
      (file) => file.endsWith('.pid') && file !== 'stack.pid',
    );
    expect(pids.map((file) => file.slice(0, -4)).sort()).toEqual(names);
    for (const name of names) expect(readdirSync(join(stack.home, 'log'))).toContain(`${name}.log`);
  });

  it('streams to its replica and keeps its secrets unreadable for other users', async () => {
    const env = environment();
    const rows = await ask(env['NOVACRON_PG_ADMIN_URL'] ?? '', 'SELECT state FROM pg_stat_replication');
    expect(rows).toEqual([{ state: 'streaming' }]);
    const replica = await ask(env['NOVACRON_PG_REPLICA_ADMIN_URL'] ?? '', 'SELECT pg_is_in_recovery() AS r');
    expect(replica).toEqual([{ r: true }]);
    for (const file of [
      'env',
      'secrets/secrets.json',
      'agents/host-agent-sim/hosts.json',
      'data/nats/nats.conf',
    ]) {
      expect(statSync(join(stack.home, file)).mode & 0o077).toBe(0);
    }
  });

  it('refuses a second start in the same home with one line', async () => {
    const second = await stack.run('start');
    expect(second.code).toBe(1);
    expect(second.stderr.trim().split('\n')).toEqual([
      expect.stringMatching(/^novacron: NovaCron runs already in .*stop$/),
    ]);
    expect((await status()).running).toBe(true);
  });

  it.each(['vm-orchestrator', 'host-agent-sim', 'nats', 'redis', 'postgres-replica-1', 'postgres-primary'])(
    'starts %s again after a crash',
    async (name) => {
      const pid = pidOf(name) ?? 0;
      process.kill(pid, 'SIGKILL');
      await gone(pid, 5000);
      const back = async () => {
        const found = await stateOf(name);
        return found?.state === 'running' && found.pid !== pid && found.restarts > 0;
      };
      expect(await waitUntil(back, 45_000)).toBe(true);
      expect(pidOf(name)).not.toBe(pid);
    },
  );

  it('answers queries with all committed rows after its primary crashed', async () => {
    const url = environment()['NOVACRON_PG_ADMIN_URL'] ?? '';
    await ask(url, 'CREATE TABLE IF NOT EXISTS kept (id int)');
    await ask(url, 'INSERT INTO kept VALUES (1)');
    process.kill(pidOf('postgres-primary') ?? 0, 'SIGKILL');
    const back = () =>
      ask(url, 'SELECT id FROM kept').then(
        (rows) => rows.length === 1,
        () => false,
      );
    expect(await waitUntil(back, 45_000)).toBe(true);
  });

  it('reports the failed checks of a service that runs and is not ready', async () => {
    process.kill(pidOf('metrics-ingest') ?? 0, 'SIGUSR2');
    expect(
      await waitUntil(async () => (await stateOf('metrics-ingest'))?.state === 'not ready', 45_000),
    ).toBe(true);
    const { code, stdout } = await stack.run('status');
    expect({ code, stdout }).toEqual({
      code: 1,
      stdout: expect.stringContaining('postgres: no answer'),
    });
  });

  it('adds another host by one command', async () => {
    const joined = await stack.run('host', 'join', 'rack-7', '--driver', 'simulated');
    expect(joined).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('host rack-7 runs in zone sim'),
    });
    expect(commandLine(pidOf('host-agent-rack-7') ?? 0)).toContain('--name=host-agent-rack-7');
    const again = await stack.run('add-host', 'rack-7');
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('has joined already') });
  });

  it('shows the log of a component, and lists the components with logs', async () => {
    expect((await stack.run('logs', 'gateway', '-n', '1')).stdout).toContain('"msg":"up"');
    const unknown = await stack.run('logs', 'gatway');
    expect(unknown).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('There are: cache-invalidator, gateway'),
    });
  });
});

describe('the end of a stack', () => {
  it('leaves no process or guest after SIGINT, and keeps its state', async () => {
    const before = guests(layout(stack.home));
    expect(before.length).toBeGreaterThanOrEqual(2);
    expect(await stack.signal('SIGINT')).toBe(0);
    expect(ofThisHome()).toEqual([]);
    expect(before.map((pid) => commandLine(pid))).toEqual(before.map(() => undefined));
    const { code, stdout } = await stack.run('status');
    expect({ code, stdout }).toEqual({ code: 3, stdout: expect.stringContaining('does not run') });
  });

  it('allows a warm start with the same data and tokens', async () => {
    const token = environment()['NOVACRON_TOKEN'];
    await stack.start();
    expect(environment()['NOVACRON_TOKEN']).toBe(token);
    expect(await ask(environment()['NOVACRON_PG_ADMIN_URL'] ?? '', 'SELECT id FROM kept')).toHaveLength(1);
  });

  it('may be a crash of the stack, after which the next start ends the leftovers', async () => {
    const left = pidOf('postgres-primary');
    await stack.signal('SIGKILL');
    expect(commandLine(left ?? 0)).toContain('postgres');
    // A stale pid file with the pid of another program must not harm that program.
    writeFileSync(stack.pidPath('redis'), `${process.pid}\n`);
    await stack.start();
    expect(stack.output).toContain('ended leftovers of the last run');
    expect((await status()).components.every((component) => component.state === 'running')).toBe(true);
    const stopped = await stack.run('stop');
    expect(stopped.code).toBe(0);
    expect(ofThisHome()).toEqual([]);
    expect(await isFree(16_379 + offset)).toBe(true);
  });
});

describe('a failed start prints one line', () => {
  const lastLine = (text: string) => text.trim().split('\n').at(-1);

  it('when the port is taken, with its process and the flag for another port', async () => {
    const other = createServer().listen(8080 + offset, '127.0.0.1');
    const { code, stderr } = await stack.run('start');
    other.close();
    expect(code).toBe(1);
    expect(lastLine(stderr)).toMatch(
      new RegExp(
        `^novacron: port ${8080 + offset} is taken by .+ \\(process ${process.pid}\\)\\. .*--port \\d+$`,
      ),
    );
  });

  it('when the secrets are damaged or gone', async () => {
    const file = join(stack.home, 'secrets', 'secrets.json');
    const good = readFileSync(file);
    writeFileSync(file, good.subarray(0, 40));
    expect(lastLine((await stack.run('start')).stderr)).toMatch(
      /^novacron: .*secrets\.json is damaged: .*reset$/,
    );
    writeFileSync(file, '{"redis":"x"}');
    expect(lastLine((await stack.run('start')).stderr)).toMatch(
      /secrets\.json is damaged: postgresAdmin is missing/,
    );
    rmSync(file);
    expect(lastLine((await stack.run('start')).stderr)).toMatch(/secrets\.json is gone, .*reset$/);
    writeFileSync(file, good, { mode: 0o600 });
  });

  it('when the Postgres data are damaged', async () => {
    rmSync(join(stack.home, 'data', 'postgres-primary', 'PG_VERSION'));
    const { code, stderr } = await stack.run('start', '--repository', join(root, 'repository'));
    expect(code).toBe(1);
    expect(lastLine(stderr)).toMatch(/postgres-primary is not a Postgres data directory any more\. .*reset$/);
    expect(ofThisHome()).toEqual([]);
  });

  it('and reset removes the damaged state', async () => {
    expect((await stack.run('reset')).code).toBe(0);
    expect(existsSync(stack.home)).toBe(false);
    expect(ofThisHome()).toEqual([]);
  });
});
