import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Job } from '@novacron/contracts/jobs';
import type { Vm } from '@novacron/contracts/vms';
import { GUIDE_VM, TestGateway, type Answered } from '../support/gateway.js';

let gateway: TestGateway;
let id: string;
let number = 0;
beforeAll(async () => {
  gateway = await TestGateway.start();
});
afterAll(() => gateway?.stop());
beforeEach(() => newVm());

async function newVm(): Promise<void> {
  id = (await gateway.ask('POST', '/api/v1/vms', { body: { ...GUIDE_VM, name: `vm-${++number}` } })).json.id;
}

const wait = (query: string): Promise<Answered> => gateway.ask('GET', `/api/v1/vms/${id}/wait?${query}`);
const later = (patch: Partial<Vm>, ms = 100, quietly = false): void => {
  setTimeout(() => gateway.orchestrator.change(id, patch, quietly), ms);
};
const reads = (): number =>
  gateway.orchestrator.requests.filter(({ body }) => (body as { id?: string }).id === id).length;

describe('a wait', () => {
  it('answers at once when the state is reached already', async () => {
    const answer = await wait('state=pending&timeout=0');
    expect([answer.status, answer.json.state]).toEqual([200, 'pending']);
  });

  it('ends with the event, without another read, with a token that includes the event', async () => {
    let answer: Answered;
    // Where the machine stalls for the second after which it reads again, it may have done so before the event.
    for (let tries = 0; ; tries += 1) {
      later({ state: 'provisioning' }, 50);
      later({ state: 'running', task: null }, 100);
      answer = await wait('state=running&timeout=30');
      if (reads() === 1 || tries === 5) break;
      await newVm();
    }
    expect([answer.status, answer.json.state, answer.headers.get('etag')]).toEqual([200, 'running', '"3"']);
    expect(reads()).toBe(1);
    const token = gateway.tokens.verify(answer.headers.get('novacron-consistency-token') as string);
    expect(token.lsn).toBe(gateway.orchestrator.lsn);
  });

  it('reads again every second, so that it does not depend on events', async () => {
    later({ state: 'running', task: null }, 100, true);
    const answer = await wait('state=running&timeout=30');
    expect([answer.status, answer.json.state]).toEqual([200, 'running']);
  });

  it('for settled ends when no work is in flight, in any state', async () => {
    later({ state: 'error', task: null });
    expect((await wait('state=settled&timeout=30')).json.state).toBe('error');
  });

  it('for ready ends when the guest has reported that it is up, not before', async () => {
    const ready = (status: 'true' | 'false') => ({
      conditions: [
        {
          type: 'GuestReady',
          status,
          reason: 'Test',
          message: '',
          lastTransitionAt: new Date().toISOString(),
        },
      ],
    });
    gateway.orchestrator.change(id, { state: 'running', task: null, ...ready('false') });
    expect((await wait('state=running&timeout=0')).status).toBe(200);
    expect((await wait('state=ready&timeout=0.3')).json.code).toBe('wait_timeout');
    later(ready('true'));
    const answer = await wait('state=ready&timeout=30');
    expect([answer.status, answer.json.state]).toEqual([200, 'running']);
  });

  it('for ready continues when a start ends in running, and is 409 when it fails', async () => {
    later({ state: 'running', task: null });
    later({ conditions: [] }, 200);
    expect((await wait('state=ready&timeout=1')).status).toBe(408);
    await newVm();
    later({ state: 'stopped', task: null, stopReason: 'start_failed' });
    expect((await wait('state=ready&timeout=30')).json.code).toBe('unreachable_state');
  });

  it('is 408 when its time is over, and may be repeated', async () => {
    const answer = await wait('state=running&timeout=0.3');
    expect([answer.status, answer.json.code, answer.json.retryable]).toEqual([408, 'wait_timeout', true]);
  });

  it('is 409 when its work ended in another state', async () => {
    later({ state: 'stopped', task: null, stopReason: 'start_failed' });
    const answer = await wait('state=running&timeout=30');
    expect([answer.status, answer.json.code]).toEqual([409, 'unreachable_state']);
    // The same when the work had ended before the wait began.
    expect((await wait('state=running&timeout=30')).status).toBe(409);
  });

  it('on a VM that is being deleted is 409 for any state but deleted', async () => {
    gateway.orchestrator.change(id, { state: 'deleting' });
    expect((await wait('state=running&timeout=30')).status).toBe(409);
    later({ state: 'deleted', task: null });
    expect((await wait('state=deleted&timeout=30')).status).toBe(200);
  });

  it('for deleted is reached when the VM no longer exists', async () => {
    gateway.orchestrator.change(id, { state: 'deleting' });
    setTimeout(() => gateway.orchestrator.vms.delete(id), 100);
    const answer = await wait('state=deleted&timeout=30');
    expect([answer.status, answer.json.state]).toEqual([200, 'deleted']);
  });

  it('finds a VM that was deleted before the wait began', async () => {
    gateway.orchestrator.change(id, { state: 'deleted', task: null });
    expect((await gateway.ask('GET', `/api/v1/vms/${id}`)).status).toBe(404);
    expect((await wait('state=deleted&timeout=30')).json.state).toBe('deleted');
    expect((await wait('state=settled&timeout=30')).status).toBe(200);
    expect((await wait('state=running&timeout=30')).status).toBe(409);
  });

  it('survives a short outage of a service', async () => {
    later({ state: 'running', task: null }, 1_300, true);
    setTimeout(() => gateway.orchestrator.failNext('dependency_down'), 500);
    expect((await wait('state=running&timeout=30')).status).toBe(200);
  });

  it('is 422 when it is longer than 60 s, or for an unknown state', async () => {
    expect((await wait('state=running&timeout=61')).status).toBe(422);
    expect((await wait('state=flying')).status).toBe(422);
    expect((await wait('timeout=3')).status).toBe(422);
  });

  it('for a job ends when the job does', async () => {
    const job = [...gateway.orchestrator.jobs.values()].at(-1) as Job;
    setTimeout(() => gateway.orchestrator.endJob(job.id, 'failed'), 100);
    const answer = await gateway.ask('GET', `/api/v1/jobs/${job.id}/wait?timeout=30`);
    expect([answer.status, answer.json.status]).toEqual([200, 'failed']);
    expect((await gateway.ask('GET', `/api/v1/jobs/${job.id}/wait?timeout=0`)).status).toBe(200);
  });

  // Last: from here on the gateway drains.
  it('is answered 408 when the gateway drains', async () => {
    setTimeout(() => gateway.beginDrain(), 200);
    const started = performance.now();
    const answer = await wait('state=running&timeout=30');
    expect(answer.status).toBe(408);
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});
