import { Module } from '@nestjs/common';
import { ConsistencyModule } from '../consistency/consistency.module.js';
import { LimitsModule } from '../limits/limits.module.js';
import { ReadsModule } from '../reads/reads.module.js';
import { AnswerWriter } from './answer-writer.js';
import { BodyBudget } from './body-budget.js';
import { BodyReader } from './body-reader.js';
import { FastifyHooks } from './fastify-hooks.js';
import { Problems } from './problems.js';
import { ReadResponder } from './read-responder.js';

/** HTTP between Fastify and the controllers: input, answers, problems, and the hooks for every request. */
@Module({
  imports: [ConsistencyModule, LimitsModule, ReadsModule],
  providers: [
    AnswerWriter,
    { provide: BodyBudget, useFactory: () => new BodyBudget() },
    BodyReader,
    FastifyHooks,
    Problems,
    ReadResponder,
  ],
  exports: [BodyReader, ConsistencyModule, LimitsModule, Problems, ReadResponder, ReadsModule],
})
export class HttpModule {}
