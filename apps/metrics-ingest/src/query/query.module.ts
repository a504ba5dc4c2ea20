import { Module } from '@nestjs/common';
import type { Database } from '@novacron/postgres/database';
import { TOKENS } from '@novacron/service-kit/inject';
import { VmsModule } from '../vms/vms.module.js';
import { AccountReader } from './account-reader.js';
import { IntakeController } from './intake.controller.js';
import { SeriesController } from './series.controller.js';
import { SeriesReader } from './series-reader.js';

/** Answers queries over request/reply. */
@Module({
  imports: [VmsModule],
  controllers: [SeriesController, IntakeController],
  providers: [
    SeriesReader,
    {
      provide: AccountReader,
      inject: [TOKENS.tenantDatabase],
      useFactory: (db: Database) => new AccountReader(db),
    },
  ],
})
export class QueryModule {}
