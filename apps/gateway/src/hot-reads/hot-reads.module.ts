import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import { HttpModule } from '../http/http.module.js';
import { HotReads } from './hot-reads.js';

/** The one exception to Nest's pipeline: answers of the L1, by a Fastify hook. */
@Module({ imports: [AuthModule, HttpModule], providers: [HotReads] })
export class HotReadsModule {}
