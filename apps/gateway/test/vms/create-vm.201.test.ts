import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Vm } from '@novacron/contracts/vms';
import { metricsText } from '@novacron/telemetry/metrics';
import { eventually } from '@novacron/testkit/wait';
import { GUIDE_VM, TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await TestGateway.start();
});
afterAll(() => gateway?.stop());

describe('creating a VM', () => {
  it("takes the guide's body and answers 201 with the VM, its Location and its ETag", async () => {
    const created = await gateway.ask('POST', '/api/v1/vms', { body: GUIDE_VM });
    expect(created.status).toBe(201);
    const vm = Vm.parse(created.json);
    expect(vm).toMatchObject({ ...GUIDE_VM, state: 'pending', tenantId: gateway.tenantId });
    expect(created.headers.get('location')).toBe(`/api/v1/vms/${vm.id}`);
    expect(created.headers.get('etag')).toBe('"1"');
    expect(created.headers.get('novacron-served-from')).toBe('primary');
  });

  it('forwards the caller, their roles and a deadline, and no key when the request has none', async () => {
    await gateway.ask('POST', '/api/v1/vms', { body: { ...GUIDE_VM, name: 'web-2' } });
    const request = gateway.orchestrator.requests.at(-1);
    expect(request).toMatchObject({
      v: 1,
      tenantId: gateway.tenantId,
      roles: ['owner'],
      consistency: 'causal',
    });
    expect(request?.principal).toMatch(/^token:/);
    expect(request?.remainingMs).toBe(10_000);
    expect(request?.idempotency).toBeUndefined();
  });

  it('answers a replay with the same VM and says so', async () => {
    const body = { ...GUIDE_VM, name: 'web-3' };
    const headers = { 'idempotency-key': 'a key' };
    const first = await gateway.ask('POST', '/api/v1/vms', { body, headers });
    const again = await gateway.ask('POST', '/api/v1/vms', {
      // Another spelling of the same body: keys in another order, a default written out.
      body: { autostart: true, config: { ...body.config }, name: body.name },
      headers,
    });
    expect(first.headers.get('idempotency-replayed')).toBeNull();
    expect(again.status).toBe(201);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(again.json).toEqual(first.json);
    expect(gateway.orchestrator.requests.at(-1)?.idempotency).toMatchObject({
      key: 'a key',
      route: 'POST /api/v1/vms',
    });
  });

  it('waits until the work ends when the request has Prefer: wait', async () => {
    const asked = gateway.ask('POST', '/api/v1/vms', {
      body: { ...GUIDE_VM, name: 'web-4' },
      headers: { prefer: 'wait=30' },
    });
    const settle = setInterval(() => {
      const vm = [...gateway.orchestrator.vms.values()].find(({ name }) => name === 'web-4');
      if (vm?.task) gateway.orchestrator.change(vm.id, { state: 'running', task: null });
    }, 20);
    const created = await asked;
    clearInterval(settle);
    expect(created.status).toBe(201);
    expect(created.headers.get('preference-applied')).toBe('wait=30');
    expect(created.json).toMatchObject({ name: 'web-4', state: 'running' });
    // Its time says nothing of how fast creates are.
    const waited =
      'http_request_duration_seconds_count{method="POST",endpoint="/api/v1/vms",status_code="201",wait="true"} 1';
    await eventually(async () => expect(await metricsText()).toContain(waited));
  });
});
