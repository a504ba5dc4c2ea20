import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Role } from '@novacron/contracts/envelope';
import { newId } from '@novacron/contracts/ids';
import { operations } from '@novacron/contracts/operations/all';
import { TestGateway } from '../support/gateway.js';

const EVERYBODY: Role[] = ['viewer', 'operator', 'owner', 'platform_operator'];
const WHO_OPERATES: Role[] = ['operator', 'owner', 'platform_operator'];
const PLATFORM: Role[] = ['platform_operator'];

/** Who may. A route that is not in here fails the test below. */
const MAY: Record<string, Role[]> = {
  createVm: WHO_OPERATES,
  listVms: EVERYBODY,
  getVm: EVERYBODY,
  patchVm: WHO_OPERATES,
  deleteVm: WHO_OPERATES,
  actOnVm: WHO_OPERATES,
  waitForVm: EVERYBODY,
  getConsoleLog: EVERYBODY,
  getPlacement: EVERYBODY,
  listJobs: EVERYBODY,
  getJob: EVERYBODY,
  waitForJob: EVERYBODY,
  cancelJob: WHO_OPERATES,
  retryJob: WHO_OPERATES,
  pushMetrics: WHO_OPERATES,
  queryMetrics: EVERYBODY,
  latestMetrics: EVERYBODY,
  showMetricsIntake: EVERYBODY,
  listHosts: PLATFORM,
  getHost: PLATFORM,
  actOnHost: PLATFORM,
  removeHost: PLATFORM,
  inviteHost: PLATFORM,
  listZones: EVERYBODY,
  listImages: EVERYBODY,
  getMe: EVERYBODY,
  getQuota: EVERYBODY,
  getCacheStats: PLATFORM,
  getReplication: PLATFORM,
};

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await TestGateway.start();
});
afterAll(() => gateway?.stop());

it('every route has an authorization test', () => {
  expect(operations.map(({ id }) => id).sort()).toEqual(Object.keys(MAY).sort());
});

describe.each(operations.map((route) => [route.id, route] as const))('%s', (id, route) => {
  const path = route.path.replace('{id}', newId()).replace('{verb}', 'start').replace('{action}', 'cordon');
  // A body and a query that every operation refuses: an admitted caller gets that error, or 404.
  const ask = (token: string | null) =>
    gateway.ask(route.method, `${path}?timeout=wrong`, {
      token,
      ...(route.method === 'GET' || route.method === 'DELETE' ? {} : { body: {} }),
    });

  it('without a token is 401', async () => {
    const answer = await ask(null);
    expect([answer.status, answer.json.code]).toEqual([401, 'unauthenticated']);
  });

  it('with a token that is not one is 401', async () => {
    expect((await ask('nvc_thisisnotatokenofanyinstallation1234')).status).toBe(401);
    expect((await ask('short')).status).toBe(401);
  });

  it.each(EVERYBODY)(`admits a %s, or is 403`, async (role) => {
    const answer = await ask(gateway.token(role));
    if (MAY[id]?.includes(role) === true) expect([401, 403]).not.toContain(answer.status);
    else expect([answer.status, answer.json.code]).toEqual([403, 'forbidden']);
  });
});
