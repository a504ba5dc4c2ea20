import { Module } from '@nestjs/common';
import { LimitSharing } from './limit-sharing.js';
import { RateLimits } from './rate-limits.js';

/** Request rates, counted in this process and reconciled with the other gateways through Redis. */
@Module({
  providers: [{ provide: RateLimits, useFactory: () => new RateLimits() }, LimitSharing],
  exports: [RateLimits],
})
export class LimitsModule {}
