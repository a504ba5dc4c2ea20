import { Module } from '@nestjs/common';
import { HttpModule } from '../http/http.module.js';
import { OperationsController } from './operations.controller.js';

@Module({ imports: [HttpModule], controllers: [OperationsController] })
export class OperationsModule {}
