import { runMigrations } from '@novacron/service-kit/migrate';
import { migrations } from './migrations/all.js';

await runMigrations({ schema: 'gateway', migrations });
