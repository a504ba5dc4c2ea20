import { Module } from '@nestjs/common';
import { HttpModule } from '../http/http.module.js';
import { JobsModule } from '../jobs/jobs.module.js';
import { WaitsModule } from '../waits/waits.module.js';
import { ConsoleLogs } from './console-logs.js';
import { VmActions } from './vm-actions.js';
import { VmCreator } from './vm-creator.js';
import { VmPatcher } from './vm-patcher.js';
import { VmWaits } from './vm-waits.js';
import { VmsController } from './vms.controller.js';

@Module({
  imports: [HttpModule, JobsModule, WaitsModule],
  controllers: [VmsController],
  providers: [ConsoleLogs, VmActions, VmCreator, VmPatcher, VmWaits],
})
export class VmsModule {}
