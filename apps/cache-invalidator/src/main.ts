import { runService } from '@novacron/service-kit/run';
import { service } from './app.module.js';

await runService(service);
