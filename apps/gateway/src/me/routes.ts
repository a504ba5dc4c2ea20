import { Role } from '@novacron/contracts/envelope';
import { TenantId } from '@novacron/contracts/ids';
import { infrastructureRpc, Quota } from '@novacron/contracts/infrastructure';
import { ServiceError } from '@novacron/contracts/errors';
import { z } from 'zod';
import { defineRoute } from '../edge/route.js';

const tag = 'Tenancy';

export const Me = z.object({
  principal: z.string(),
  roles: z.array(Role),
  tenant: z.object({ id: TenantId, name: z.string() }),
});

export const getMe = defineRoute({
  id: 'getMe',
  method: 'GET',
  path: '/api/v1/me',
  tag,
  summary: 'Who I am: principal, tenant, roles',
  access: 'read',
  answers: { 200: { description: 'What the token says.', schema: Me } },
  errors: [],
  async handle({ caller }) {
    const tenant = { id: caller.tenantId, name: caller.tenantName };
    return { status: 200, body: { principal: caller.principal, roles: caller.roles, tenant } };
  },
});

export const getQuota = defineRoute({
  id: 'getQuota',
  method: 'GET',
  path: '/api/v1/tenants/{id}/quota',
  tag,
  summary: "A tenant's limits, and what is taken of them",
  access: 'read',
  params: z.object({ id: TenantId }),
  answers: { 200: { description: 'The quota.', schema: Quota } },
  errors: ['not_found'],
  async handle(call) {
    if (call.params.id !== call.caller.tenantId)
      throw new ServiceError('not_found', 'There is no such tenant.');
    return { status: 200, body: (await call.ask(infrastructureRpc.quota, {})).body };
  },
});

export const tenancyRoutes = [getMe, getQuota];
