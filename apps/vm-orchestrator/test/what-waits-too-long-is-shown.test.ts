import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { metricsText } from '@novacron/telemetry/metrics';
import { OrchestratorHarness } from './support/orchestrator-harness.js';

let harness: OrchestratorHarness;
beforeAll(async () => {
  harness = await OrchestratorHarness.start();
}, 120_000);
afterAll(() => harness?.stop());

/** The value of a series once it is as wished; each process looks every five seconds. */
async function eventually(series: string, wished: (value: number) => boolean): Promise<number> {
  const until = Date.now() + 60_000;
  for (;;) {
    const line = (await metricsText()).split('\n').find((text) => text.startsWith(`${series} `));
    const value = line === undefined ? NaN : Number(line.split(' ').at(-1));
    if (wished(value) || Date.now() > until) return value;
    await sleep(200);
  }
}
const sql = (text: string) => harness.admin.query(text);
const OVERDUE = 'novacron_jobs_overdue';

describe('the backlog', () => {
  it('is zero at rest, and counts the VMs by state', async () => {
    await harness.running('counted');
    expect(await eventually('novacron_vms{state="running"}', (vms) => vms > 0)).toBe(1);
    expect(await eventually('novacron_outbox_oldest_seconds', (age) => age === 0)).toBe(0);
    expect(await eventually(`${OVERDUE}{reason="unclaimed"}`, (jobs) => jobs === 0)).toBe(0);
    expect(await eventually(`${OVERDUE}{reason="deadline"}`, (jobs) => jobs === 0)).toBe(0);
  }, 120_000);

  it('shows an event that is not published', async () => {
    // The relay reads what is pending; what it believes published already, it never looks at again.
    await sql(`INSERT INTO orchestrator.outbox (tenant_id, seq, id, position, kind, resource_id, type, version, at, data)
      SELECT gen_random_uuid(), seq + 1000000, gen_random_uuid(), '0', 'vm', gen_random_uuid(), 'vm.updated', 1,
        now() - interval '90 s', '{}' FROM orchestrator.outbox_counter`);
    expect(await eventually('novacron_outbox_oldest_seconds', (age) => age > 60)).toBeGreaterThan(60);
    await sql('DELETE FROM orchestrator.outbox WHERE seq > 1000000');
    expect(await eventually('novacron_outbox_oldest_seconds', (age) => age < 60)).toBeLessThan(60);
  }, 150_000);

  it('shows a job without a worker, and one past its deadline', async () => {
    // The job of a VM that does not exist: no worker leases it.
    await sql(`INSERT INTO orchestrator.jobs
      (tenant_id, id, vm_id, kind, status, step, step_index, step_count, due_at, deadline, args, created_at, updated_at)
      VALUES ('${harness.tenantId}', gen_random_uuid(), gen_random_uuid(), 'start', 'queued', 'boot', 0, 1,
        now() - interval '90 s', now() - interval '60 s', '{}', now(), now())`);
    expect(await eventually(`${OVERDUE}{reason="unclaimed"}`, (jobs) => jobs === 1)).toBe(1);
    expect(await eventually(`${OVERDUE}{reason="deadline"}`, (jobs) => jobs === 1)).toBe(1);
    expect(await eventually('novacron_jobs_oldest_due_seconds', (age) => age > 60)).toBeGreaterThan(60);
  }, 120_000);
});
