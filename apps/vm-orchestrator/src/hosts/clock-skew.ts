import { Injectable } from '@nestjs/common';
import type { HostId } from '@novacron/contracts/ids';
import { HostSnapshot } from './snapshot.js';
import { databaseNow } from '../database/clock.js';
import { HostConditions } from './conditions.js';
import { HostSettings } from './settings.js';

/** A clock that is wrong by more gets the condition; it loses it when it is wrong by less than half. */
export const SKEW_MS = 30_000;
/** A heartbeat may have waited for a stalled orchestrator: the clock is judged over several heartbeats. */
const HELD_HEARTBEATS = 4;

/** Compares the clocks of hosts with the database's clock, and keeps the condition `ClockSkewed` of each host. */
@Injectable()
export class ClockSkew {
  /** By host, the monotonic time since which every heartbeat shows a wrong clock. */
  readonly #since = new Map<HostId, number>();

  constructor(
    private readonly snapshot: HostSnapshot,
    private readonly conditions: HostConditions,
    private readonly settings: HostSettings,
  ) {}

  /** @param at the host's time when it sent a heartbeat, milliseconds since 1970 */
  async observe(hostId: HostId, at: number): Promise<void> {
    const skewMs = at - databaseNow().getTime();
    const known = this.snapshot.host(hostId)?.conditions.find(({ type }) => type === 'ClockSkewed');
    if (Math.abs(skewMs) <= SKEW_MS) {
      this.#since.delete(hostId);
      if (known && Math.abs(skewMs) < SKEW_MS / 2) await this.conditions.clear(hostId, 'ClockSkewed');
      return;
    }
    const now = performance.now();
    const since = this.#since.get(hostId) ?? now;
    this.#since.set(hostId, since);
    const reason = skewMs > 0 ? 'Ahead' : 'Behind';
    if (known?.reason === reason || now - since < HELD_HEARTBEATS * this.settings.heartbeatMs) return;
    const message = `the clock of the host is ${reason.toLowerCase()} by more than ${SKEW_MS / 1_000} seconds`;
    await this.conditions.set(hostId, 'ClockSkewed', { reason, message });
  }
}
