import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { repositoryRoot } from '@novacron/local-stack/config';
import { anyFreePort } from '@novacron/local-stack/servers/ports';
import { note } from '@novacron/testkit/note';
import { readUntil } from '@novacron/testkit/wait';
import { type Api, apiOf, guideBody } from '../e2e/support/api.js';
import { replaced, signal, wholeAgain } from '../e2e/support/health.js';
import { ComposeStack } from '../support/compose-stack.js';

const IMAGES = [
  'gateway',
  'vm-orchestrator',
  'metrics-ingest',
  'cache-invalidator',
  'host-agent',
  'local-stack',
];

/** The reason why this machine cannot run the containers; undefined when it can. */
function missing(): string | undefined {
  const works = (...args: string[]) => spawnSync('docker', args, { stdio: 'ignore' }).status === 0;
  if (!works('version')) return 'no container engine answers';
  if (
    !works('compose', 'version') &&
    spawnSync('docker-compose', ['version'], { stdio: 'ignore' }).status !== 0
  )
    return 'there is no docker compose';
  const absent = IMAGES.filter((app) => !works('image', 'inspect', `novacron/${app}:0.1.0`));
  return absent.length > 0
    ? `images are not built (npm run compose -- build): ${absent.join(', ')}`
    : undefined;
}

const reason = missing();
if (reason !== undefined) note(`compose up is skipped: ${reason}`);

// Skipped without a container engine or without images, because building the images takes minutes.
(reason === undefined ? describe : describe.skip)('docker compose up', () => {
  const project = `novacron-test-${process.pid}`;
  let port: number;
  let stack: ComposeStack;
  let api: Api;

  const compose = (...args: string[]) =>
    promisify(execFile)(process.execPath, [join(repositoryRoot, 'tools', 'run.mjs'), 'compose', ...args], {
      env: { ...process.env, COMPOSE_PROJECT_NAME: project, NOVACRON_HTTP_PORT: String(port) },
      maxBuffer: 64 * 1024 * 1024,
    });

  beforeAll(async () => {
    port = await anyFreePort();
    await compose('up', '--no-build');
    process.env['NOVACRON_URL'] = `http://127.0.0.1:${port}`;
    stack = await ComposeStack.attach(project);
    api = apiOf(stack, stack.token);
  }, 600_000);
  afterAll(async () => {
    await compose('down', '--volumes');
  }, 120_000);

  it('ends with everything healthy, and a VM that runs through nginx', async () => {
    await wholeAgain(stack);
    const created = await api.create(guideBody('contained'));
    expect(created.status).toBe(201);
    expect(await api.wait(created.body.id, 'running')).toMatchObject({ status: 200 });
  });

  it('gives every container a read-only root, no capabilities, a limit, and a user that is not root', () => {
    expect(stack.unconfined()).toEqual([]);
  });

  it('answers while a gateway is killed and restarts', async () => {
    const killed = signal(stack, 'gateway', 'SIGKILL');
    const statuses = new Set<number>();
    for (let asked = 0; asked < 20; asked++) statuses.add((await api.get('/api/v1/vms')).status);
    expect([...statuses]).toEqual([200]);
    await replaced(stack, 'gateway', killed);
  });

  it('keeps its tokens and VMs across a second `up`', async () => {
    const { stdout: before } = await compose('env');
    await compose('up', '--no-build');
    const { stdout: after } = await compose('env');
    expect(after).toBe(before);
    const list = await readUntil(
      () => api.list('contained'),
      (vms) => vms.length === 1,
    );
    expect(list).toMatchObject([{ state: 'running' }]);
  });
});
