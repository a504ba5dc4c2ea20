import { ServiceError } from '@novacron/contracts/errors';
import { infrastructureRpc } from '@novacron/contracts/infrastructure';
import { getMe, getQuota } from '@novacron/contracts/operations/tenancy';
import { implement } from '../http/route.js';

const getMeRoute = implement(getMe, async ({ caller }) => {
  const tenant = { id: caller.tenantId, name: caller.tenantName };
  return { status: 200, body: { principal: caller.principal, roles: caller.roles, tenant } };
});

const getQuotaRoute = implement(getQuota, async (call) => {
  if (call.params.id !== call.caller.tenantId)
    throw new ServiceError('not_found', 'There is no such tenant.');
  return { status: 200, body: (await call.ask(infrastructureRpc.quota, {})).body };
});

export const tenancyRoutes = [getMeRoute, getQuotaRoute];
