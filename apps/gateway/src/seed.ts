import { postgresEnv } from '@novacron/config/fragments';
import { ConfigError, loadConfig } from '@novacron/config/load';
import { hexKey, secret, text } from '@novacron/config/settings';
import { TenantId } from '@novacron/contracts/ids';
import { createDatabase, type DatabaseSettings } from '@novacron/postgres/database';
import { migrate } from '@novacron/postgres/migrate';
import { isApiToken } from './auth/api-token.js';
import { migrations } from './migrations/all.js';
import { seedTenant } from './auth/seed-tenant.js';

/*
 * `node dist/seed.js` creates a tenant (`demo`) with a token of an owner and one of a platform operator. It is safe to run
 * again. It migrates first, so that it does not depend on a gateway. The tokens have no rate limit.
 */

const settings = {
  ...postgresEnv,
  tokenHashKey: hexKey('NOVACRON_TOKEN_HASH_KEY', 32),
  seed: {
    tenantId: text('NOVACRON_SEED_TENANT_ID'),
    tenantName: text('NOVACRON_SEED_TENANT_NAME', 'demo'),
    token: secret('NOVACRON_SEED_TOKEN'),
    operatorToken: secret('NOVACRON_SEED_OPERATOR_TOKEN'),
  },
};

async function main(): Promise<void> {
  const { postgres, tokenHashKey, seed } = loadConfig(settings);
  const tenantId = TenantId.parse(seed.tenantId);
  for (const token of [seed.token, seed.operatorToken]) {
    if (!isApiToken(token)) throw new Error('a token must be 32 to 200 letters, digits, - and _');
  }
  const login = (role: DatabaseSettings['role'], password: string): DatabaseSettings => ({
    primary: postgres.primary,
    database: postgres.database,
    schema: 'gateway',
    role,
    password,
    max: 1,
  });
  if (postgres.migrate && postgres.ownerPassword !== undefined) {
    await migrate({ ...login('owner', postgres.ownerPassword), max: 2 }, { migrations });
  }
  const sys = createDatabase(login('sys', postgres.sysPassword));
  try {
    await seedTenant(sys, tokenHashKey, { id: tenantId, name: seed.tenantName }, [
      { name: 'seed-owner', token: seed.token, roles: ['owner'] },
      { name: 'seed-operator', token: seed.operatorToken, roles: ['platform_operator'] },
    ]);
  } finally {
    await sys.close();
  }
}

try {
  await main();
} catch (error) {
  const reason = error instanceof ConfigError || !(error instanceof Error) ? error : error.message;
  process.stderr.write(`seed: ${reason instanceof Error ? reason.message : String(reason)}\n`);
  process.exitCode = 1;
}
