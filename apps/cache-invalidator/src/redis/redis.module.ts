import { Module, type OnApplicationBootstrap } from '@nestjs/common';
import { DrainCoordinator } from '@novacron/service-kit/drain';
import { SharedCache, SharedCacheInspector } from './shared-cache.js';

@Module({
  providers: [SharedCache, SharedCacheInspector],
  exports: [SharedCache, SharedCacheInspector],
})
export class RedisModule implements OnApplicationBootstrap {
  constructor(
    private readonly cache: SharedCache,
    private readonly inspector: SharedCacheInspector,
    private readonly drain: DrainCoordinator,
  ) {}

  onApplicationBootstrap(): void {
    // Registered first, so closed after every consumer has ended.
    this.drain.add('consumers', 'shared cache', () => {
      this.cache.close();
      this.inspector.close();
    });
  }
}
