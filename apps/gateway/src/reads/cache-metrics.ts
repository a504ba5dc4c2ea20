import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Cache } from '@novacron/cache/cache';
import type { CacheStats } from '@novacron/cache/stats';
import { observableCounter, observableGauge } from '@novacron/telemetry/metrics';

/** Exports what this process' cache does. It is read when the metrics are. */
@Injectable()
export class CacheMetrics implements OnModuleInit {
  constructor(private readonly cache: Cache) {}

  onModuleInit(): void {
    exportCache(this.cache);
  }
}

function exportCache(cache: Cache): void {
  const total = (name: string, help: string, read: (stats: CacheStats) => number) =>
    observableCounter(`novacron_cache_${name}_total`, help, (observe) => observe(read(cache.stats())));
  const value = (name: string, help: string, read: (stats: CacheStats) => number | null) =>
    observableGauge(`novacron_cache_${name}`, help, (observe) => {
      const now = read(cache.stats());
      if (now !== null) observe(now);
    });
  observableCounter('novacron_cache_hits_total', 'Answers from a cache, by its level', (observe) => {
    const { l1, l2 } = cache.stats().hits;
    observe(l1, { level: 'l1' });
    observe(l2, { level: 'l2' });
  });
  total('misses', 'Answers that the owning service gave', ({ misses }) => misses);
  total('flights_joined', "Readers that shared another reader's load", ({ flightsJoined }) => flightsJoined);
  total('refreshes', 'Loads before the end of a TTL', ({ refreshes }) => refreshes);
  total('stale_while_down', 'Old states for eventual readers', ({ staleWhileDown }) => staleWhileDown);
  total('events_heard', 'Events heard from the invalidators', ({ invalidations }) => invalidations);
  total('l1_invalidations', 'Entries that an event removed from memory', ({ l1 }) => l1.invalidations);
  total('l1_evictions', 'Entries that had to make room', ({ l1 }) => l1.evictions);
  total('l1_drops', 'Times that all was dropped: a gap, a reconnect', ({ l1 }) => l1.drops);
  total('l2_failures', 'Commands that Redis did not answer in time', ({ l2 }) => l2?.failures ?? 0);
  value('l1_entries', 'Entries in memory', ({ l1 }) => l1.entries);
  value('l1_bytes', 'Bytes of the entries in memory', ({ l1 }) => l1.bytes);
  value('watermark_age_seconds', 'Since the watermark last moved', ({ lagMs }) =>
    lagMs === null ? null : lagMs / 1_000,
  );
}
