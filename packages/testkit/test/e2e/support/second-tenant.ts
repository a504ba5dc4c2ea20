import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestStack } from '../../../src/stack.js';
import { repositoryRoot } from '../../../src/test-home.js';
import { Api } from './api.js';
import { environmentOf } from './environment.js';

export interface SecondTenant {
  readonly tenantId: string;
  /** with the role `owner` */
  readonly api: Api;
}

/** Another tenant, made by the gateway's own seed command with the settings of the stack's gateway. */
export async function secondTenant(stack: TestStack): Promise<SecondTenant> {
  const tenantId = randomUUID();
  const token = randomBytes(32).toString('hex');
  const env = {
    ...environmentOf(stack.pid('gateway')),
    NOVACRON_SEED_TENANT_ID: tenantId,
    NOVACRON_SEED_TENANT_NAME: 'other',
    NOVACRON_SEED_TOKEN: token,
    NOVACRON_SEED_OPERATOR_TOKEN: randomBytes(32).toString('hex'),
  };
  await promisify(execFile)(process.execPath, [join(repositoryRoot, 'apps', 'gateway', 'dist', 'seed.js')], {
    env,
  });
  return { tenantId, api: new Api(stack.url, token) };
}
