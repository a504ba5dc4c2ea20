import type { Migration } from '@novacron/postgres/migrate';
import { RateLimits1764150000000 } from './1764150000000-rate-limits.js';
import { TokensReadOnly1764153600000 } from './1764153600000-tokens-read-only.js';
import { TenantsAndTokens1763900000000 } from './1763900000000-tenants-and-tokens.js';

/** All migrations of schema `gateway`, oldest first. */
export const migrations: readonly Migration[] = [
  TenantsAndTokens1763900000000,
  RateLimits1764150000000,
  TokensReadOnly1764153600000,
];
