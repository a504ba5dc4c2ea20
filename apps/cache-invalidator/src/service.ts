import type { ServiceContext } from '@novacron/service-kit/context';
import type { ServiceSpec } from '@novacron/service-kit/run';
import { Caches } from './caches.js';
import { type CacheConfig, settings } from './config.js';
import { exportInvalidation } from './invalidate/invalidate-metrics.js';
import { LedgerController } from './ledger/ledger.controller.js';
import { exportLedger } from './invalidate/ledger-metrics.js';
import { Ledger } from './ledger/ledger.js';
import { migrations } from './migrations/all.js';
import { StatsController } from './stats/stats.controller.js';

class CacheModule {}

const running = new WeakMap<ServiceContext, Caches>();

/** The parts of a running service. */
export function cachesOf(context: ServiceContext<CacheConfig>): Caches {
  let caches = running.get(context);
  if (!caches) running.set(context, (caches = new Caches(context)));
  return caches;
}

/** cache-invalidator: what it is made of and in which order it starts. */
export const service: ServiceSpec<typeof settings> = {
  name: 'cache',
  settings,
  postgres: { schema: 'cache', migrations },
  module: (context) => ({
    module: CacheModule,
    controllers: [LedgerController, StatsController],
    providers: [
      { provide: Caches, useFactory: () => cachesOf(context) },
      { provide: Ledger, useFactory: () => cachesOf(context).ledger },
    ],
  }),
  onStart: (context) => {
    const { drain, readiness, config } = context;
    const caches = cachesOf(context);
    drain.add('consumers', 'invalidation', () => caches.stop());
    readiness.add('ledger', () => {
      if (caches.failure !== undefined) throw caches.failure as Error;
    });
    exportLedger(caches.follower);
    exportInvalidation({
      teller: caches.teller,
      shared: caches.shared,
      l2: caches.l2,
      oldestPendingMs: () => caches.oldestPendingMs,
    });
    caches.start();
    if (config.warm.atStart) void caches.warmer.run();
  },
};
