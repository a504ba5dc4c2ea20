import { Module } from '@nestjs/common';
import { HttpModule } from '../http/http.module.js';
import { WaitsModule } from '../waits/waits.module.js';
import { JobWaits } from './job-waits.js';
import { JobsController } from './jobs.controller.js';

@Module({
  imports: [HttpModule, WaitsModule],
  controllers: [JobsController],
  providers: [JobWaits],
  exports: [JobWaits],
})
export class JobsModule {}
