import { Module } from '@nestjs/common';
import { VmReads } from './vm-reads.js';

/** The VMs' table: rows, their text, changes with events, and reads. */
@Module({ providers: [VmReads], exports: [VmReads] })
export class VmsModule {}
