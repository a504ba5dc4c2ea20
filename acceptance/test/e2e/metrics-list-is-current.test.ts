import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '@novacron/local-stack/config';
import { type TestStack, useTestStack } from '@novacron/testkit/stack';
import { readUntil } from '@novacron/testkit/wait';
import pg from 'pg';
import { Api, guideBody } from './support/api.js';
import { MetricsCollector, type MetricsList } from './support/metrics-list.js';

/**
 * The metrics that Prometheus rules and dashboards may use. When the list differs from the exported metrics, this
 * test rewrites it: look at the difference and commit it.
 */
const path = join('infra', 'prometheus', 'metrics.generated.json');
/** In the order of the documented ports. */
const JOBS = {
  0: 'gateway',
  1: 'vm-orchestrator',
  2: 'metrics-ingest',
  3: 'cache-invalidator',
  5: 'host-agent',
};
/** Metrics without a series in normal operation. packages/telemetry tests their labels. */
const ONLY_IN_TROUBLE = ['database_query_errors_total'];

let stack: TestStack;
let api: Api;
beforeAll(async () => {
  stack = await useTestStack({ simHosts: 1, replica: true });
  api = new Api(stack.url, stack.token);
}, 120_000);
afterAll(() => stack?.remove(), 60_000);

async function collect(): Promise<MetricsCollector> {
  const collector = new MetricsCollector();
  for (const [index, job] of Object.entries(JOBS)) {
    const port = Number(new URL(stack.url).port) - 8080 + 9100 + Number(index);
    collector.add(job, await (await fetch(`http://127.0.0.1:${port}/metrics`)).text());
  }
  return collector;
}

/** Blocks writers of VMs for longer than the limit of a slow query. */
async function slowQuery(work: () => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: stack.env()['NOVACRON_PG_ADMIN_URL'] });
  await client.connect();
  await client.query('BEGIN; LOCK TABLE orchestrator.vms IN ACCESS EXCLUSIVE MODE');
  const working = work();
  await sleep(500);
  await client.query('COMMIT');
  await working;
  await client.end();
}

describe('the list of metrics', () => {
  it('equals the metrics that the running services export, with types and labels', async () => {
    const { body } = await api.create(guideBody('listed-1'));
    expect((await api.wait(body.id, 'running')).status).toBe(200);
    await slowQuery(() => api.create(guideBody('listed-2')));
    const before = JSON.parse(readFileSync(join(repositoryRoot, path), 'utf8')) as MetricsList;
    // Labels are known only from series, so the test waits for a series of each metric that can have one.
    const needed = (name: string) => !ONLY_IN_TROUBLE.includes(name) && before[name]?.labels.length !== 0;
    let collector = new MetricsCollector();
    const unseen = async () => (collector = await collect()).unseen.filter(needed);
    // A counter in this list needs its series from the start: the third argument of `counter`.
    await readUntil(unseen, (names) => names.length === 0, 90_000);

    const now = collector.list(before);
    writeFileSync(join(repositoryRoot, path), `${JSON.stringify(now, undefined, 2)}\n`);
    expect(now).toEqual(before);
  }, 240_000);
});
