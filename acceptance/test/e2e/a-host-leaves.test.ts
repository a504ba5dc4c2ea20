import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { repositoryRoot } from '@novacron/local-stack/config';
import { type TestStack, useTestStack } from '@novacron/testkit/stack';
import { readUntil } from '@novacron/testkit/wait';
import { Api, guideBody } from './support/api.js';

interface HostBody {
  id: string;
  name: string;
  vmCount: number;
  schedulable: boolean;
  drain: { finishedAt: string | null } | null;
}

let stack: TestStack;
let tenant: Api;
beforeAll(async () => {
  stack = await useTestStack({ simHosts: 1, replica: false, qemu: false });
  tenant = new Api(stack.url, stack.token);
});
afterAll(() => stack?.remove());

async function ask<Body>(
  method: string,
  path: string,
  body?: object,
): Promise<{ status: number; body: Body }> {
  const headers = {
    Authorization: `Bearer ${stack.operatorToken}`,
    ...(body ? { 'Content-Type': 'application/json' } : {}),
  };
  const init = { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) };
  const answer = await fetch(`${stack.url}/api/v1${path}`, init);
  const text = await answer.text();
  return { status: answer.status, body: (text === '' ? undefined : JSON.parse(text)) as Body };
}
const hosts = async () => (await ask<{ items: HostBody[] }>('GET', '/hosts')).body.items;
const named = async (name: string) => (await hosts()).find((host) => host.name === name) as HostBody;
/** Runs `npm run host -- …` on this stack. */
const host = (...args: string[]) =>
  promisify(execFile)(
    process.execPath,
    [join(repositoryRoot, 'packages/local-stack/dist/cli.js'), 'host', ...args],
    {
      env: { ...process.env, NOVACRON_HOME: stack.home },
    },
  );

describe('a host of the local stack', () => {
  it('joins, is emptied onto another host by a drain, and leaves for good', async () => {
    await host('join', 'guest-house');
    const joined = await readUntil(
      () => named('guest-house'),
      (found) => found !== undefined,
    );
    // Only the new host takes VMs for a moment.
    const old = (await hosts()).find(({ id }) => id !== joined.id) as HostBody;
    await ask('POST', `/hosts/${old.id}/actions/cordon`);
    const created = await tenant.create(guideBody('moves-house'));
    expect(created.status).toBe(201);
    const { id } = created.body;
    expect((await tenant.wait(id, 'running')).body).toMatchObject({ hostId: joined.id });
    await ask('POST', `/hosts/${old.id}/actions/uncordon`);

    await expect(host('leave', 'guest-house')).rejects.toMatchObject({
      stderr: expect.stringContaining('Drain it first'),
    });
    const drain = await ask<HostBody>('POST', `/hosts/${joined.id}/actions/drain`, {
      mode: 'stop',
      graceSeconds: 1,
    });
    expect(drain).toMatchObject({ status: 200, body: { schedulable: false, drain: { finishedAt: null } } });
    await readUntil(
      async () => (await ask<HostBody>('GET', `/hosts/${joined.id}`)).body,
      (now) => now.vmCount === 0 && now.drain?.finishedAt !== null,
    );
    expect((await tenant.wait(id, 'running')).body).toMatchObject({ state: 'running', hostId: old.id });

    await host('leave', 'guest-house');
    expect((await ask('GET', `/hosts/${joined.id}`)).status).toBe(404);
    expect(stack.components().map(({ name }) => name)).not.toContain('host-agent-guest-house');
    expect(existsSync(join(stack.home, 'agents', 'host-agent-guest-house'))).toBe(false);
    expect(readFileSync(join(stack.home, 'agents', 'approved-hosts.json'), 'utf8')).not.toContain(joined.id);
    await expect(host('leave', 'guest-house')).rejects.toMatchObject({
      stderr: expect.stringContaining('has not joined'),
    });
  });
});
