import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { note } from '@novacron/testkit/note';
import type { RunningStack } from '@novacron/testkit/running-stack';
import { TestStack } from '@novacron/testkit/stack';
import { readUntil } from '@novacron/testkit/wait';
import { useAnyStack } from '../support/any-stack.js';
import { type Api, apiOf } from './support/api.js';
import { burst, expectEachOnceAndRunning, hostsOf } from './support/burst.js';
import { imbalances } from './support/database.js';
import { replaced, signal, wholeAgain } from './support/health.js';
import { guestsOfHosts } from './support/hosts.js';

let stack: RunningStack;
let api: Api;

beforeAll(async () => {
  stack = await useAnyStack();
  api = apiOf(stack, stack.token);
});

afterAll(() => stack?.remove());

/** Sends the signal `kind` to a component after each number of `afterAnswers`, and checks that nothing is lost. */
async function survive(
  count: number,
  name: string,
  kind: NodeJS.Signals,
  afterAnswers: readonly number[],
): Promise<void> {
  // A stack of containers may contain VMs of an earlier run.
  const prefix = `${kind.toLowerCase()}-${name}-${randomBytes(2).toString('hex')}`;
  const since = Date.now();
  const seconds = () => ((Date.now() - since) / 1000).toFixed(1);
  const disturbances = afterAnswers.map((answers) => ({
    afterAnswers: answers,
    trouble: async () => replaced(stack, name, signal(stack, name, kind)),
  }));
  const created = await burst(api, { prefix, count, disturbances });
  const answered = seconds();
  await wholeAgain(stack);
  const whole = seconds();
  await expectEachOnceAndRunning(stack, api, created, prefix);
  const retries = created.reduce((all, { attempts }) => all + attempts - 1, 0);
  note(
    `${prefix}: ${count} creates answered in ${answered} s, ${retries} retries; whole after ${whole} s, all run after ${seconds()} s`,
  );
}

describe('200 creates', () => {
  it(
    'run once each, although the orchestrator is killed twice in the middle',
    () => survive(200, 'vm-orchestrator', 'SIGKILL', [40, 120]),
    120_000,
  );
});

describe('creates lose, duplicate and leave behind nothing', () => {
  it.each([
    'gateway',
    'metrics-ingest',
    'cache-invalidator',
    'host-agent-sim',
    'nats',
    'redis',
    'postgres-replica-1',
    'postgres-primary',
  ])('when %s is killed meanwhile', (name) => survive(60, name, 'SIGKILL', [20]), 120_000);

  it.each(['SIGINT'] as const)(
    'when postgres-primary is restarted by %s meanwhile',
    (kind) => survive(60, 'postgres-primary', kind, [20]),
    120_000,
  );

  it.each(['gateway', 'vm-orchestrator'])(
    'when %s is asked to end meanwhile',
    (name) => survive(60, name, 'SIGTERM', [20]),
    120_000,
  );
});

describe('deletes', () => {
  it('all end and free quota and capacity although an agent and the primary are killed', async () => {
    const vms = await api.list('');
    const first = vms.splice(0, 150);
    const known = new Set([...first, ...vms].map(({ id }) => id));
    let asked = 0;
    const patiently = async (id: string): Promise<void> => {
      const answer = () => api.remove(id).then(({ status }) => status);
      await readUntil(answer, (status) => [202, 204, 404].includes(status), 60_000);
      asked++;
      if (asked === 50) signal(stack, 'host-agent-sim', 'SIGKILL');
      if (asked === 100) signal(stack, 'postgres-primary', 'SIGKILL');
    };
    const lanes = Array.from({ length: 10 }, async () => {
      for (let vm = first.pop(); vm; vm = first.pop()) await patiently(vm.id);
    });
    await Promise.all(lanes);
    await wholeAgain(stack);
    const left = () => api.list('');
    await readUntil(
      left,
      (all) => all.length === vms.length && all.every(({ task }) => task === null),
      60_000,
    );
    expect((await left()).map(({ id }) => id).sort()).toEqual(vms.map(({ id }) => id).sort());
    expect(await imbalances(stack.env()['NOVACRON_PG_ADMIN_URL'] ?? '')).toEqual([]);
    const guests = await guestsOfHosts(
      stack.env()['NOVACRON_NATS_ADMIN_URL'] ?? '',
      (await hostsOf(stack)).map(({ id }) => id),
    );
    expect(
      [...guests]
        .filter(([, places]) => places.some(({ power }) => power !== 'absent'))
        .map(([id]) => id)
        // Hosts of containers may run VMs of other tests. Hosts of a test's own stack must not.
        .filter((id) => stack instanceof TestStack || known.has(id))
        .sort(),
    ).toEqual(vms.map(({ id }) => id).sort());
  });
});

it('has every component running at the end', async () => {
  await wholeAgain(stack);
  if (stack instanceof TestStack) expect((await stack.run('status')).code).toBe(0);
});
