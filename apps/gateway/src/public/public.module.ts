import { Module } from '@nestjs/common';
import { DocsController } from './docs.controller.js';
import { PublicController } from './public.controller.js';

/** Probes, the OpenAPI document, and pages: without a token. */
@Module({ controllers: [PublicController, DocsController] })
export class PublicModule {}
