import { Module } from '@nestjs/common';
import { QuotaReads } from './quota-reads.js';

@Module({ providers: [QuotaReads], exports: [QuotaReads] })
export class QuotasModule {}
