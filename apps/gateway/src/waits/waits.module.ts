import { Module } from '@nestjs/common';
import { TOKENS } from '@novacron/service-kit/inject';
import type { GatewayConfig } from '../config.js';
import { Changes } from './changes.js';
import { ReadTurns } from './read-turns.js';
import { WaitSlots } from './wait-slots.js';
import { Waits } from './waits.js';

/** Waits until an object is in a state, by its events and by reads. */
@Module({
  providers: [
    Changes,
    { provide: ReadTurns, useFactory: () => new ReadTurns() },
    {
      provide: WaitSlots,
      inject: [TOKENS.config],
      useFactory: ({ waits }: GatewayConfig) => new WaitSlots(waits),
    },
    Waits,
  ],
  exports: [Waits, WaitSlots],
})
export class WaitsModule {}
