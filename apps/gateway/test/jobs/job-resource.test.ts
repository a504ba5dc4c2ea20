import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { newId } from '@novacron/contracts/ids';
import { GUIDE_VM, TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let jobId: string;
let number = 0;
beforeAll(async () => {
  gateway = await TestGateway.start();
});
afterAll(() => gateway?.stop());
beforeEach(async () => {
  const body = { ...GUIDE_VM, name: `vm-${++number}` };
  jobId = (await gateway.ask('POST', '/api/v1/vms', { body })).json.task.jobId;
});

describe('jobs', () => {
  it('are listed with filters', async () => {
    const vmId = newId();
    const answer = await gateway.ask(
      'GET',
      `/api/v1/jobs?status=queued,running&kind=create&vmId=${vmId}&limit=5`,
    );
    expect(answer.json.items.length).toBeGreaterThan(0);
    expect(gateway.orchestrator.requests.at(-1)?.body).toEqual({
      status: ['queued', 'running'],
      kind: 'create',
      vmId,
      limit: 5,
    });
  });

  it('are answered one at a time, with an ETag', async () => {
    const answer = await gateway.ask('GET', `/api/v1/jobs/${jobId}`);
    expect([answer.status, answer.json.id, answer.headers.get('etag')]).toEqual([200, jobId, '"1"']);
    expect((await gateway.ask('GET', `/api/v1/jobs/${newId()}`)).status).toBe(404);
  });

  it('can be cancelled', async () => {
    const answer = await gateway.ask('POST', `/api/v1/jobs/${jobId}/actions/cancel`);
    expect([answer.status, answer.json.status]).toEqual([200, 'cancelled']);
  });

  it('can be retried, as a new job', async () => {
    const answer = await gateway.ask('POST', `/api/v1/jobs/${jobId}/actions/retry`, {
      headers: { 'idempotency-key': 'r' },
    });
    expect(answer.status).toBe(202);
    expect(answer.json.id).not.toBe(jobId);
    expect(answer.headers.get('location')).toBe(`/api/v1/jobs/${answer.json.id}`);
  });

  it('are 408 when they take longer than the wait', async () => {
    const answer = await gateway.ask('GET', `/api/v1/jobs/${jobId}/wait?timeout=0.2`);
    expect([answer.status, answer.json.code]).toEqual([408, 'wait_timeout']);
  });
});

describe('infrastructure and tenancy', () => {
  const platform = () => ({ token: gateway.token('platform_operator') });

  it('hosts are for platform operators', async () => {
    const list = await gateway.ask('GET', '/api/v1/hosts?zone=sim&state=up', platform());
    const { id } = list.json.items[0];
    expect((await gateway.ask('GET', `/api/v1/hosts/${id}`, platform())).headers.get('etag')).toBe('"1"');
    const cordoned = await gateway.ask('POST', `/api/v1/hosts/${id}/actions/cordon`, platform());
    expect([cordoned.status, cordoned.json.schedulable]).toEqual([200, false]);
    expect((await gateway.ask('POST', `/api/v1/hosts/${id}/actions/explode`, platform())).status).toBe(422);
  });

  it('hosts are listed by an orchestrator of the previous version, which refuses a limit', async () => {
    const asked = async (path: string) => {
      expect((await gateway.ask('GET', path, platform())).status).toBe(200);
      return gateway.orchestrator.requests.at(-1)?.body;
    };
    expect(await asked('/api/v1/hosts')).toEqual({});
    expect(await asked('/api/v1/hosts?zone=sim&state=up')).toEqual({ zone: 'sim', state: 'up' });
    expect(await asked('/api/v1/hosts?limit=7&zone=sim')).toEqual({ limit: 7, zone: 'sim' });
  });

  it('zones, images and their own quota are for every caller of the tenant', async () => {
    for (const path of ['/api/v1/zones', '/api/v1/images', `/api/v1/tenants/${gateway.tenantId}/quota`]) {
      expect([path, (await gateway.ask('GET', path, { token: gateway.token('viewer') })).status]).toEqual([
        path,
        200,
      ]);
    }
    expect((await gateway.ask('GET', `/api/v1/tenants/${newId()}/quota`)).status).toBe(404);
  });

  it('/me describes the caller', async () => {
    expect((await gateway.ask('GET', '/api/v1/me', { token: gateway.token('viewer') })).json).toMatchObject({
      roles: ['viewer'],
      tenant: { id: gateway.tenantId, name: 'demo' },
    });
  });
});
