import { Module } from '@nestjs/common';
import { HttpModule } from '../http/http.module.js';
import { TenancyController } from './tenancy.controller.js';

@Module({ imports: [HttpModule], controllers: [TenancyController] })
export class TenancyModule {}
