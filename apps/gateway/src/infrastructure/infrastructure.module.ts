import { Module } from '@nestjs/common';
import { HttpModule } from '../http/http.module.js';
import { CatalogueController } from './catalogue.controller.js';
import { HostsController } from './hosts.controller.js';

@Module({ imports: [HttpModule], controllers: [HostsController, CatalogueController] })
export class InfrastructureModule {}
