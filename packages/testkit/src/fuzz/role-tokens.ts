import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { loadSecrets } from '@novacron/local-stack/home/secrets';
import { layout } from '@novacron/local-stack/layout';
import pg from 'pg';
import type { TestStack } from '../stack.js';

/** The roles of the fuzz rounds. */
export const FUZZ_ROLES = ['viewer', 'operator', 'owner', 'platform_operator'] as const;
export type FuzzRole = (typeof FUZZ_ROLES)[number];

/** A token of the stack's tenant for each role, without a rate limit. */
export async function roleTokens(stack: TestStack): Promise<Record<FuzzRole, string>> {
  const { tokenHashKey, tenantId, token: owner, operatorToken } = loadSecrets(layout(stack.home));
  const client = new pg.Client({ connectionString: stack.env()['NOVACRON_PG_ADMIN_URL'] });
  await client.connect();
  const add = async (role: 'viewer' | 'operator'): Promise<string> => {
    const token = `nvc_${randomBytes(32).toString('base64url')}`;
    const hash = createHmac('sha256', Buffer.from(tokenHashKey, 'hex')).update(token).digest();
    await client.query(
      `INSERT INTO gateway.api_tokens (tenant_id, id, name, hash, roles, unlimited) VALUES ($1, $2, $3, $4, $5, true)`,
      [tenantId, randomUUID(), `fuzz-${role}`, hash, [role]],
    );
    return token;
  };
  try {
    return {
      viewer: await add('viewer'),
      operator: await add('operator'),
      owner,
      platform_operator: operatorToken,
    };
  } finally {
    await client.end();
  }
}
