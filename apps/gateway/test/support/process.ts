import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { newId } from '@novacron/contracts/ids';
import type { TestServers } from '@novacron/testkit/servers';
import { newApiToken } from '../../src/auth/api-token.js';

const run = promisify(execFile);
const seedScript = fileURLToPath(new URL('../../dist/seed.js', import.meta.url));

export interface Seeded {
  readonly tenantId: string;
  readonly token: string;
  readonly operatorToken: string;
}

export function newSeed(): Seeded {
  return { tenantId: newId(), token: newApiToken(), operatorToken: newApiToken() };
}

/** Runs the gateway's seed command, as the local stack does. */
export async function seed(servers: TestServers, seeded: Seeded): Promise<void> {
  await run(process.execPath, [seedScript], {
    env: {
      PATH: process.env['PATH'],
      ...servers.env('gateway'),
      NOVACRON_SEED_TENANT_ID: seeded.tenantId,
      NOVACRON_SEED_TOKEN: seeded.token,
      NOVACRON_SEED_OPERATOR_TOKEN: seeded.operatorToken,
    },
  });
}
