import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { RequestMeta } from '@novacron/contracts/envelope';
import type { JobId } from '@novacron/contracts/ids';
import { Admission } from '../src/admission/admission.js';
import { JobCanceller } from '../src/admission/cancel-job.js';
import { JobRetrier } from '../src/admission/retry-job.js';
import { OrchestratorHarness, spec } from './support/orchestrator-harness.js';

let harness: OrchestratorHarness;
beforeAll(async () => {
  harness = await OrchestratorHarness.start({ env: { NOVACRON_JOB_QUEUE: '20' } });
});
afterAll(() => harness.stop());
afterEach(async () => {
  await hosts(`images = '{ubuntu-22.04}', schedulable = true`);
  await harness.admin.query('UPDATE orchestrator.quotas SET limit_vms = 1000');
});

const keyed = (key: string): RequestMeta =>
  harness.meta({ idempotency: { key, route: 'POST /route', bodyHash: 'h' } });

/** Changes every host, and waits until the orchestrator knows. */
async function hosts(set: string): Promise<void> {
  await harness.admin.query(`UPDATE orchestrator.hosts SET ${set}`);
  await harness.snapshot.refresh();
}

let number = 0;
/** Lets jobs wait for capacity until the queue is full. */
async function fillTheQueue(): Promise<void> {
  await hosts('schedulable = false');
  let refusal: unknown = null;
  while (refusal === null)
    refusal = await harness.create(`waits-${number++}`).then(
      () => null,
      (error: unknown) => error,
    );
  expect(refusal).toMatchObject({ code: 'overloaded' });
}

async function emptyTheQueue(): Promise<void> {
  await harness.admin.query(
    `UPDATE orchestrator.jobs SET status = 'cancelled' WHERE status IN ('queued', 'running', 'waiting')`,
  );
  await harness.get(Admission).count();
}

const create = (meta: RequestMeta, name: string) => harness.creator.create(meta, spec(name));

describe('a create', () => {
  it('gets its first answer after its image was retired', async () => {
    const first = await create(keyed('image'), 'by-image');
    await hosts(`images = '{other}'`);
    await expect(create(harness.meta(), 'by-image-2')).rejects.toMatchObject({ code: 'unknown_image' });
    expect(await create(keyed('image'), 'by-image')).toMatchObject({ replayed: true, body: first.body });
  });

  it('gets its first answer when the quota is used up, and its name taken', async () => {
    const first = await create(keyed('quota'), 'by-quota');
    await harness.admin.query('UPDATE orchestrator.quotas SET limit_vms = used_vms');
    await expect(create(harness.meta(), 'by-quota-2')).rejects.toMatchObject({ code: 'quota_exceeded' });
    expect(await create(keyed('quota'), 'by-quota')).toMatchObject({ replayed: true, body: first.body });
  });

  it('gets its first answer when the queue is full', async () => {
    const first = await create(keyed('queue'), 'by-queue');
    await fillTheQueue();
    expect(await create(keyed('queue'), 'by-queue')).toMatchObject({ replayed: true, body: first.body });
    await expect(create(keyed('new'), 'by-new-key')).rejects.toMatchObject({ code: 'overloaded' });
    await emptyTheQueue();
  });

  it('is judged by the present state when its key has no answer, and does not remember a refusal', async () => {
    await hosts(`images = '{other}'`);
    await expect(create(keyed('refused'), 'refused-1')).rejects.toMatchObject({ code: 'unknown_image' });
    await hosts(`images = '{ubuntu-22.04}'`);
    const made = await create(keyed('refused'), 'refused-1');
    expect(made.replayed).toBeUndefined();
  });
});

describe('an action', () => {
  it('gets its first answer when the queue is full, and after the VM was deleted', async () => {
    const { id } = await harness.running('act-1');
    const stop = () => harness.actor.act(keyed('stop'), { id, action: 'stop', options: { graceSeconds: 1 } });
    const first = await stop();
    await harness.until(id, (vm) => vm.state === 'stopped');
    await fillTheQueue();
    expect(await stop()).toMatchObject({ replayed: true, body: first.body });
    await emptyTheQueue();
    await hosts('schedulable = true');
    await harness.act(id, 'delete');
    await harness.until(id, (vm) => vm.state === 'deleted');
    expect(await stop()).toMatchObject({ replayed: true, body: first.body });
  });
});

describe('a cancel and a retry', () => {
  it('get their first answers, in every later state of the job and its VM', async () => {
    await hosts('schedulable = false');
    const vm = await harness.create('waits-for-room');
    const id = vm.task?.jobId as JobId;
    const cancel = () => harness.get(JobCanceller).cancel(keyed('cancel'), id);
    const retry = () => harness.get(JobRetrier).retry(keyed('retry'), id);
    const cancelled = await cancel();
    expect(cancelled).toMatchObject({ body: { id, status: 'cancelled' } });
    expect(cancelled.replayed).toBeUndefined();
    expect(await cancel()).toMatchObject({ replayed: true, body: cancelled.body });

    const retried = await retry();
    expect(retried.replayed).toBeUndefined();
    expect(await retry()).toMatchObject({ replayed: true, body: retried.body });
    await harness.act(vm.id, 'delete');
    await harness.until(vm.id, (row) => row.state === 'deleted');
    await harness.admin.query('DELETE FROM orchestrator.jobs WHERE id = $1', [id]);
    expect(await cancel()).toMatchObject({ replayed: true, body: cancelled.body });
    expect(await retry()).toMatchObject({ replayed: true, body: retried.body });
  });

  it('under a key of another body are refused', async () => {
    await hosts('schedulable = false');
    const vm = await harness.create('waits-too');
    const meta = (bodyHash: string) =>
      harness.meta({ idempotency: { key: 'body', route: 'POST /route', bodyHash } });
    await harness.get(JobCanceller).cancel(meta('one'), vm.task?.jobId as JobId);
    const other = harness.get(JobCanceller).cancel(meta('two'), vm.task?.jobId as JobId);
    await expect(other).rejects.toMatchObject({ code: 'idempotency_mismatch' });
    const retry = harness.get(JobRetrier).retry(meta('three'), vm.task?.jobId as JobId);
    await expect(retry).rejects.toMatchObject({ code: 'idempotency_mismatch' });
  });
});
