import { runService } from '@novacron/service-kit/run';
import { service } from './service.js';

await runService(service);
