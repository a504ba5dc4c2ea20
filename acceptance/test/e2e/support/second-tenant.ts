import { randomBytes, randomUUID } from 'node:crypto';
import type { RunningStack } from '@novacron/testkit/running-stack';
import { type Api, apiOf } from './api.js';

export interface SecondTenant {
  readonly tenantId: string;
  /** with the role `owner` */
  readonly api: Api;
}

/** Creates another tenant by the gateway's seed command, with the settings of the stack's gateway. */
export async function secondTenant(stack: RunningStack): Promise<SecondTenant> {
  const tenantId = randomUUID();
  const token = randomBytes(32).toString('hex');
  await stack.seed({
    NOVACRON_SEED_TENANT_ID: tenantId,
    NOVACRON_SEED_TENANT_NAME: `other-${tenantId}`,
    NOVACRON_SEED_TOKEN: token,
    NOVACRON_SEED_OPERATOR_TOKEN: randomBytes(32).toString('hex'),
  });
  return { tenantId, api: apiOf(stack, token) };
}
