import { Injectable } from '@nestjs/common';
import { ServiceError } from '@novacron/contracts/errors';
import type { Capability } from '@novacron/contracts/infrastructure';
import type { VmConfig } from '@novacron/contracts/vms';
import { HostSnapshot } from '../hosts/snapshot.js';

/** Capabilities in the words of a create. */
const NEED_TEXTS: Partial<Record<Capability, string>> = { 'user-data': 'userData and sshKeys' };

/** The zones and images that the hosts offer now. */
@Injectable()
export class Catalog {
  constructor(private readonly snapshot: HostSnapshot) {}

  /**
   * The zone that the VM goes to.
   * @param needs what the VM's host has to be able to do
   * @throws ServiceError unknown_zone; unknown_image when no host of the zone runs it; capability_unsupported when
   *   none of those that run it can do what the VM needs; dependency_down, overloaded
   */
  require(wanted: string | undefined, config: VmConfig, needs: readonly Capability[]): string {
    // In the first moments of the process a zone that is not loaded yet is not an unknown zone.
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
    if (needs.length > 0) this.#requireAble(zone.name, config.image, needs);
    return zone.name;
  }

  /** Refuses a configuration that no host can apply: it is never silently ignored. */
  #requireAble(zone: string, image: string, needs: readonly Capability[]): void {
    const able = this.snapshot
      .hosts()
      .some(
        (host) =>
          host.zone === zone &&
          host.images.includes(image) &&
          needs.every((need) => host.capabilities.includes(need)),
      );
    if (able) return;
    throw new ServiceError(
      'capability_unsupported',
      `No host of zone ${zone} that runs ${image} can do ${needs.map((need) => NEED_TEXTS[need] ?? need).join(', ')}`,
    );
  }
}
