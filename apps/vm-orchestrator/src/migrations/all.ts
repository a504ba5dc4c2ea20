import type { Migration } from '@novacron/postgres/migrate';
import { Initial1764000000000 } from './0001-initial.js';

/** Every migration of the schema, oldest first. */
export const MIGRATIONS: readonly Migration[] = [Initial1764000000000];
