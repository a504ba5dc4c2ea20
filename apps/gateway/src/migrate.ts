import { runMigrations } from '@novacron/service-kit/migrate';
import { migrations } from './tenancy/migrations.js';

await runMigrations({ schema: 'gateway', migrations });
