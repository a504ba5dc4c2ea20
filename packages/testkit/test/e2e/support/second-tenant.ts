import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestStack } from '../../../src/stack.js';
import { repositoryRoot } from '../../../src/test-home.js';
import { Api } from './api.js';

export interface SecondTenant {
  readonly tenantId: string;
  /** with the role `owner` */
  readonly api: Api;
}

/** Another tenant, made by the gateway's own seed command with the settings of the stack's gateway. */
export async function secondTenant(stack: TestStack): Promise<SecondTenant> {
  const tenantId = randomUUID();
  const token = randomBytes(32).toString('hex');
  const gateway = readFileSync(`/proc/${stack.pid('gateway')}/environ`, 'utf8').split('\0').filter(Boolean);
  const settings = Object.fromEntries(gateway.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
  const env = {
    ...settings,
    NOVACRON_SEED_TENANT_ID: tenantId,
    NOVACRON_SEED_TENANT_NAME: 'other',
    NOVACRON_SEED_TOKEN: token,
    NOVACRON_SEED_OPERATOR_TOKEN: randomBytes(32).toString('hex'),
  };
  await promisify(execFile)(process.execPath, [join(repositoryRoot, 'apps', 'gateway', 'dist', 'seed.js')], { env });
  return { tenantId, api: new Api(stack.url, token) };
}
