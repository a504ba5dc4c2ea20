import { Module } from '@nestjs/common';
import { JobsModule } from '../jobs/jobs.module.js';
import { OperationRegistry } from '../jobs/operation-registry.js';
import { ALL_OPERATIONS } from './registry.js';

/** One file per operation, with its steps. The workers are on a lower floor: they read them from their registry. */
@Module({ imports: [JobsModule] })
export class OperationsModule {
  constructor(registry: OperationRegistry) {
    registry.register(ALL_OPERATIONS);
  }
}
