// The migrate program of a made-up service, in a process of its own.
import { runMigrations } from '@novacron/service-kit/migrate';
import { AddNumbers1700000000000 } from './add-numbers.ts';

await runMigrations({ schema: 'orchestrator', migrations: [AddNumbers1700000000000] });
