import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { signalProcess } from '@novacron/local-stack/supervisor/processes';
import { note } from '@novacron/testkit/note';
import { SmallDisk } from '@novacron/testkit/small-disk';
import { TestStack } from '@novacron/testkit/stack';
import { eventually, readUntil } from '@novacron/testkit/wait';
import pg from 'pg';
import { type ApiResponse, type Api, apiOf, createPatiently, guideBody } from './support/api.js';
import { wholeAgain } from './support/health.js';

const MIB = 640;
/** Longer than any deadline of a request. A slower answer hangs. */
const HANGS_AFTER_MS = 30_000;
/** Time to recover when the disk has space: a back-off of 10 s, or 21 s until the supervisor ends a hanging NATS. */
const BACK_WITHIN_MS = 60_000;

const probe = SmallDisk.mount(1);
probe?.dispose();
if (!probe) note('a full disk: skipped, file systems cannot be mounted here');

let disk: SmallDisk;
let stack: TestStack;
let api: Api;

/** The services and agents with their pids from before the disk was full. */
let pids: Map<string, number | undefined>;

function programs(): Map<string, number | undefined> {
  const ours = stack.components().filter(({ name }) => !/^(postgres|nats|redis)/.test(name));
  return new Map(ours.map(({ name, pid }) => [name, pid]));
}

const alive = (pid: number | undefined) => pid !== undefined && signalProcess(pid, 0);

/** Whether an answer is 201 or 503, the two that are allowed on a full disk. */
function expectRunOrRefused({ status, headers, body, text }: ApiResponse<unknown>, tookMs: number): void {
  expect(tookMs).toBeLessThan(HANGS_AFTER_MS);
  if (status === 201) return;
  expect({ status, type: headers.get('content-type'), text }).toEqual({
    status: 503,
    type: expect.stringContaining('application/problem+json'),
    text: expect.anything(),
  });
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  expect(body).toMatchObject({ status: 503, retryable: true });
}

/** Sends creates for `ms`, four at a time. @returns the number of answers of each status */
async function createFor(ms: number, prefix: string): Promise<Record<number, number>> {
  const counts: Record<number, number> = {};
  let next = 0;
  const until = performance.now() + ms;
  const client = async () => {
    while (performance.now() < until) {
      const since = performance.now();
      const answer = await api.create(guideBody(`${prefix}-${next++}`));
      expectRunOrRefused(answer, performance.now() - since);
      counts[answer.status] = (counts[answer.status] ?? 0) + 1;
      await sleep(100);
    }
  };
  await Promise.all(Array.from({ length: 4 }, client));
  return counts;
}

/** Writes WAL until Postgres has no space for the next segment, which ends the server. */
async function exhaustLog(client: pg.Client): Promise<void> {
  const fill = async () => {
    for (;;) await client.query("SELECT pg_logical_emit_message(true, 'fill', repeat('x', 4000000))");
  };
  await expect(fill()).rejects.toThrow();
}

(probe ? describe : describe.skip)('a stack whose disk is full', () => {
  beforeAll(async () => {
    disk = SmallDisk.mount(MIB) as SmallDisk;
    stack = await TestStack.create({ parent: disk.folder, simHosts: 2 });
    await stack.start();
    api = apiOf(stack, stack.token);
    const { vm } = await createPatiently(api, guideBody('before'));
    expect((await api.wait(vm.id, 'running')).status).toBe(200);
    pids = programs();
  }, 120_000);

  afterAll(async () => {
    disk?.empty();
    await stack?.remove().finally(() => disk.dispose());
  }, 60_000);

  it('answers creates with 201 or 503, keeps its services and agents, and recovers when there is space', async () => {
    const admin = new pg.Client({ connectionString: stack.env()['NOVACRON_PG_ADMIN_URL'] });
    admin.on('error', () => undefined); // its server ends
    await admin.connect();
    await eventually(() => disk.fill());
    note(`full: ${JSON.stringify(await createFor(5_000, 'full'))}`);
    await exhaustLog(admin);
    await admin.end().catch(() => undefined); // the connection is gone

    await eventually(() => disk.fill());
    const refused = await createFor(5_000, 'no-log');
    note(`full, and Postgres ended by it: ${JSON.stringify(refused)}`);
    expect(refused[503]).toBeGreaterThan(0);
    expect([...pids].filter(([, pid]) => !alive(pid))).toEqual([]);

    disk.empty();
    const since = performance.now();
    const { vm } = await createPatiently(api, guideBody('after'), BACK_WITHIN_MS);
    note(`created ${Math.round(performance.now() - since)} ms after the disk had space`);
    await readUntil(
      () => api.vm(vm.id),
      ({ body }) => body.state === 'running',
      BACK_WITHIN_MS,
    );
    note(`running ${Math.round(performance.now() - since)} ms after the disk had space`);
    await wholeAgain(stack, BACK_WITHIN_MS);
    expect(programs()).toEqual(pids);
    await readUntil(
      () => stack.run('status'),
      ({ code }) => code === 0,
      BACK_WITHIN_MS,
    );
  }, 110_000);
});
