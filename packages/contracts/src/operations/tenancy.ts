import { z } from 'zod';
import { TenantId } from '../ids.js';
import { Quota } from '../infrastructure.js';
import { defineOperation } from '../operation.js';
import { Me } from '../tenancy.js';

const tag = 'Tenancy';

export const getMe = defineOperation({
  id: 'getMe',
  method: 'GET',
  path: '/api/v1/me',
  tag,
  summary: 'Show the principal, tenant and roles of the token',
  access: 'read',
  answers: { 200: { description: 'The principal, its tenant and roles.', schema: Me } },
  errors: [],
});

export const getQuota = defineOperation({
  id: 'getQuota',
  method: 'GET',
  path: '/api/v1/tenants/{id}/quota',
  tag,
  summary: "Show a tenant's limits and usage",
  access: 'read',
  params: z.object({ id: TenantId }),
  answers: { 200: { description: 'The quota.', schema: Quota } },
  errors: ['not_found'],
});
