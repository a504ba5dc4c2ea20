import type { Migration } from '@novacron/postgres/migrate';
import { TenantsAndTokens1763900000000 } from './migrations/1763900000000-tenants-and-tokens.js';

/** All migrations of schema `gateway`, oldest first. */
export const migrations: readonly Migration[] = [TenantsAndTokens1763900000000];
