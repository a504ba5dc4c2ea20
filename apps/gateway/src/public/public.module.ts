import { Module } from '@nestjs/common';
import { HttpModule } from '../http/http.module.js';
import { Docs } from './docs.js';
import { PublicController } from './public.controller.js';

/** Probes, the OpenAPI document, and pages: without a token. */
@Module({ imports: [HttpModule], controllers: [PublicController], providers: [Docs] })
export class PublicModule {}
