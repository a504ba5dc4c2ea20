import { runService } from '@novacron/service-kit/run';
import { gatewayService } from './service.js';

await runService(gatewayService);
