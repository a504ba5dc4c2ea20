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
  summary: 'Who I am: principal, tenant, roles',
  access: 'read',
  answers: { 200: { description: 'What the token says.', schema: Me } },
  errors: [],
});

export const getQuota = defineOperation({
  id: 'getQuota',
  method: 'GET',
  path: '/api/v1/tenants/{id}/quota',
  tag,
  summary: "A tenant's limits, and what is taken of them",
  access: 'read',
  params: z.object({ id: TenantId }),
  answers: { 200: { description: 'The quota.', schema: Quota } },
  errors: ['not_found'],
});
