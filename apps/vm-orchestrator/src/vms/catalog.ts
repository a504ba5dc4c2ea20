import { ServiceError } from '@novacron/contracts/errors';
import type { VmConfig } from '@novacron/contracts/vms';
import type { HostSnapshot } from '../placement/snapshot.js';

/** Zones and images as the hosts of the moment offer them. */
export class Catalog {
  constructor(private readonly snapshot: Pick<HostSnapshot, 'ready' | 'imagesOf' | 'zones'>) {}

  /**
   * The zone that the VM goes to.
   * @throws ServiceError unknown_zone; unknown_image when no host of the zone runs it; dependency_down, overloaded
   */
  require(wanted: string | undefined, config: VmConfig): string {
    // Asked within the first moments of the process: what is not loaded yet is not unknown.
    if (!this.snapshot.ready) {
      throw new ServiceError('dependency_down', 'The hosts are not known yet', { retryAfterMs: 1_000 });
    }
    const zones = this.snapshot.zones();
    const zone = wanted === undefined ? zones.find((z) => z.isDefault) : zones.find((z) => z.name === wanted);
    if (!zone) {
      const known = zones.map((z) => z.name).join(', ');
      const errors = [{ path: '/zone', message: `one of: ${known}` }];
      throw new ServiceError('unknown_zone', `There is no zone ${wanted}; there are: ${known}`, { errors });
    }
    const images = this.snapshot.imagesOf(zone.name);
    if (images.size === 0) {
      throw new ServiceError('overloaded', `No host of zone ${zone.name} has registered yet`, {
        retryAfterMs: 2_000,
      });
    }
    if (!images.has(config.image)) {
      const known = [...images].sort().join(', ');
      const errors = [{ path: '/config/image', message: `one of: ${known}` }];
      throw new ServiceError(
        'unknown_image',
        `Zone ${zone.name} cannot run ${config.image}; it runs: ${known}`,
        { errors },
      );
    }
    return zone.name;
  }
}
