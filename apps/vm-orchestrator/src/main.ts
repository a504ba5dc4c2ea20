import { runService } from '@novacron/service-kit/run';
import { orchestrator } from './orchestrator.js';

await runService(orchestrator);
