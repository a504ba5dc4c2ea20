import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId, type TenantId } from '@novacron/contracts/ids';
import { until } from '@novacron/testkit/wait';
import { GUIDE_VM, TestGateway } from '../support/gateway.js';
import { WAIT_READS } from '../../src/waits/read-turns.js';
import { WAIT_LIMITS } from '../../src/config.js';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await TestGateway.start();
});
afterAll(() => gateway?.stop());

interface Wait {
  /** Resolves with the status, and null when the client ended the wait. */
  readonly status: Promise<number | null>;
  end(): void;
}

/** A wait on a connection of its own. */
function wait(path: string, token: string): Wait {
  const asked = request(gateway.url + path, { headers: { authorization: `Bearer ${token}` }, agent: false });
  const status = new Promise<number | null>((resolve) => {
    asked.on('response', (answer) => {
      answer.resume();
      resolve(answer.statusCode as number);
    });
    asked.on('error', () => resolve(null));
  });
  asked.end();
  return { status, end: () => asked.destroy() };
}

async function newVm(name: string, token: string): Promise<string> {
  const answer = await gateway.ask('POST', '/api/v1/vms', { body: { ...GUIDE_VM, name }, token });
  return answer.json.id as string;
}

const states = async (waits: readonly Wait[]): Promise<Record<string, number>> => {
  const counts: Record<string, number> = {};
  const open = Symbol('open');
  for (const { status } of waits) {
    const now = await Promise.race([status, Promise.resolve(open)]);
    const name = now === open ? 'waiting' : String(now);
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
};

describe('2,000 waits of one tenant', () => {
  const waits: Wait[] = [];
  let arrival: Promise<void>;
  let tokens: string[];
  let neighbour: string;

  beforeAll(async () => {
    tokens = Array.from({ length: 4 }, (_, i) => gateway.token('owner', gateway.tenantId, `waiter-${i}`));
    neighbour = gateway.token('owner', newId<TenantId>(), 'neighbour');
    const id = await newVm('waited-for', gateway.token());
    // As a real orchestrator: it takes so many at a time, and each takes its time.
    Object.assign(gateway.orchestrator, { latencyMs: 20, maxInFlight: 4 * WAIT_READS });
    arrival = arrive(`/api/v1/vms/${id}/wait?state=running&timeout=60`);
    // The second test reports a failure.
    arrival.catch(() => undefined);
  });

  /** Sends them in batches: the gateway closes a connection whose head is not there after 5 s. */
  const arrive = async (path: string): Promise<void> => {
    while (waits.length < 2_000) {
      for (let i = 0; i < 200; i++) waits.push(wait(path, tokens[i % 4] as string));
      await until(async () => gateway.waits.taken + ((await states(waits))['429'] ?? 0) === waits.length);
    }
  };
  afterAll(() => {
    for (const one of waits) one.end();
    Object.assign(gateway.orchestrator, { latencyMs: 0, maxInFlight: Infinity });
  });

  it('fail no request of another tenant while they arrive', async () => {
    const statuses: number[] = [];
    for (let i = 0; i < 50; i++) {
      const answers = [1, 2, 3, 4].map(() => gateway.ask('GET', '/api/v1/vms', { token: neighbour }));
      for (const { status } of await Promise.all(answers)) statuses.push(status);
    }
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
  });

  it('are refused beyond the limit of the tenant, and the others go on', async () => {
    const expected = { '429': 2_000 - WAIT_LIMITS.perTenant, waiting: WAIT_LIMITS.perTenant };
    await arrival;
    expect(await states(waits)).toEqual(expected);
    expect(gateway.waits.taken).toBe(WAIT_LIMITS.perTenant);
  });

  it('have no more concurrent reads than their share of the service', () => {
    // The neighbour had four requests in flight.
    expect(gateway.orchestrator.peakInFlight).toBeLessThanOrEqual(WAIT_READS + 4);
  });

  it('name the time to retry', async () => {
    const answer = await gateway.ask('GET', `/api/v1/jobs/${newId()}/wait`, { token: tokens[0] as string });
    expect([answer.status, answer.json.code, answer.json.retryable]).toEqual([429, 'too_many_waits', true]);
    expect(answer.headers.get('retry-after')).toBe('2');
  });

  it('do not fail a create or an action with Prefer: wait, which answers at once instead', async () => {
    const headers = { prefer: 'wait=30' };
    const token = tokens[0] as string;
    const body = { ...GUIDE_VM, name: 'no-slot' };
    const created = await gateway.ask('POST', '/api/v1/vms', { body, headers, token });
    expect([created.status, created.headers.get('preference-applied')]).toEqual([201, null]);
    gateway.orchestrator.change(created.json.id, { state: 'running', task: null });
    const path = `/api/v1/vms/${created.json.id}/actions/stop`;
    const acted = await gateway.ask('POST', path, { headers, token });
    expect([acted.status, acted.headers.get('preference-applied')]).toEqual([202, null]);
  });

  it('free their slots when their clients disconnect', async () => {
    for (const one of waits) one.end();
    await until(() => gateway.waits.taken === 0);
  });
});
