import { Module } from '@nestjs/common';
import type { Database } from '@novacron/postgres/database';
import { TOKENS } from '@novacron/service-kit/inject';
import { Directory } from './directory.js';
import { VmEvents } from './vm-events.js';
import { VmLocator } from './vm-locator.js';

/** The tenant and the host of each VM. */
@Module({
  providers: [
    VmLocator,
    VmEvents,
    {
      provide: Directory,
      inject: [TOKENS.systemDatabase, VmLocator],
      useFactory: (db: Database, vms: VmLocator) => new Directory({ db, locate: (ids) => vms.locate(ids) }),
    },
  ],
  exports: [VmLocator, VmEvents, Directory],
})
export class VmsModule {}
