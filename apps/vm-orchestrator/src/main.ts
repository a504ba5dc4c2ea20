import { runService } from '@novacron/service-kit/run';
import { orchestrator } from './app.module.js';

await runService(orchestrator);
