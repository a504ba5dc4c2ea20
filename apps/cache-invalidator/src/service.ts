import type { ServiceSpec } from '@novacron/service-kit/run';
import { randomUUID } from 'node:crypto';
import { settings } from './config.js';
import { Follower } from './ledger/follower.js';
import { HoleFiller } from './ledger/hole-filler.js';
import { FollowerLease } from './ledger/lease.js';
import { LedgerController } from './ledger/ledger.controller.js';
import { exportLedger } from './ledger/ledger-metrics.js';
import { Ledger } from './ledger/ledger.js';
import { migrations } from './migrations/all.js';

class CacheModule {}

/** cache-invalidator: what it is made of and in which order it starts. */
export const service: ServiceSpec<typeof settings> = {
  name: 'cache',
  settings,
  postgres: { schema: 'cache', migrations },
  module: ({ sys }) => ({
    module: CacheModule,
    controllers: [LedgerController],
    providers: [{ provide: Ledger, useValue: new Ledger(sys) }],
  }),
  onStart: ({ nc, sys, rpc, logger, config, drain, readiness }) => {
    const ledger = new Ledger(sys);
    const filler = new HoleFiller(ledger, rpc, logger);
    const lease = new FollowerLease(sys, randomUUID());
    const follower = new Follower({ nc, ledger, filler, lease, logger, ...config.ledger });
    drain.add('consumers', 'ledger', () => follower.stop());
    readiness.add('ledger', () => {
      if (follower.failure !== undefined) throw follower.failure as Error;
    });
    exportLedger(follower);
    follower.start();
  },
};
