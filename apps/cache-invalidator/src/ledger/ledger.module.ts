import { Module } from '@nestjs/common';
import { FollowerLease } from './follower-lease.js';
import { LedgerController } from './ledger.controller.js';
import { Ledger } from './ledger.js';

@Module({
  controllers: [LedgerController],
  providers: [Ledger, FollowerLease],
  exports: [Ledger, FollowerLease],
})
export class LedgerModule {}
