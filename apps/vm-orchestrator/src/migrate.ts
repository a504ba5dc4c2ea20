import { runMigrations } from '@novacron/service-kit/migrate';
import { MIGRATIONS } from './migrations/all.js';

await runMigrations({ schema: 'orchestrator', migrations: MIGRATIONS });
