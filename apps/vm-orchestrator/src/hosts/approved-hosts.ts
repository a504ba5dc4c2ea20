import { ApprovedHost } from '@novacron/contracts/infrastructure';
import type { HostId } from '@novacron/contracts/ids';
import type { Logger } from '@novacron/telemetry/logger';
import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';

/**
 * The operator's list of hosts, a JSON file: `[{hostId, zone, driver, labels?, capacity?}]`. It is read again when it has
 * changed, so that hosts join a running control plane. A list that cannot be read approves no new host.
 */
export class ApprovedHosts {
  #stamp = '';
  #hosts = new Map<HostId, ApprovedHost>();

  /** @param path undefined: without a list */
  constructor(
    private readonly path: string | undefined,
    private readonly log: Logger,
  ) {}

  async find(hostId: HostId): Promise<ApprovedHost | undefined> {
    if (this.path !== undefined) await this.#readIfChanged(this.path);
    return this.#hosts.get(hostId);
  }

  async #readIfChanged(path: string): Promise<void> {
    try {
      const { mtimeMs, size, ino } = await stat(path);
      const stamp = `${ino}:${mtimeMs}:${size}`;
      if (stamp === this.#stamp) return;
      const hosts = z.array(ApprovedHost).parse(JSON.parse(await readFile(path, 'utf8')));
      this.#hosts = new Map(hosts.map((host) => [host.hostId, host]));
      this.#stamp = stamp;
    } catch (error) {
      this.log.error({ err: error, path }, 'read of the list of approved hosts failed');
    }
  }
}
