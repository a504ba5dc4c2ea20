import { Injectable } from '@nestjs/common';
import { Periodic } from '@novacron/async/periodic';
import { ServiceLogger, SystemDatabase } from '@novacron/service-kit/inject';
import type { HostId } from '@novacron/contracts/ids';
import type { Database, Statement } from '@novacron/postgres/database';
import type { Logger } from '@novacron/telemetry/logger';
import { HostLink } from '../hosts/host-link.js';
import { HostSettings } from '../hosts/settings.js';
import { Cleanups } from './cleanups.js';

const PER_TICK = 20;
/** A host with VMs in `unknown` is asked again after about so many seconds. */
const SOONER_S = 10;
const TAKE_DUE: Statement = {
  name: 'inventories-claim',
  // Moving the time on takes the host: of several orchestrators one asks. The random tenth keeps hosts apart.
  text: `UPDATE inventories SET next_at = now() + make_interval(secs => $1::float8 / 1000 * (0.9 + random() * 0.2))
    WHERE host_id IN (
      SELECT i.host_id FROM inventories i JOIN hosts h ON h.id = i.host_id
       WHERE h.state = 'up' AND (i.next_at <= now()
         OR (i.next_at <= now() + make_interval(secs => $1::float8 / 1000 - ${SOONER_S})
             AND EXISTS (SELECT 1 FROM vms v WHERE v.host_id = i.host_id AND v.state = 'unknown')))
       ORDER BY i.next_at LIMIT ${PER_TICK} FOR UPDATE OF i SKIP LOCKED)
    RETURNING host_id`,
};

/**
 * Asks every host that is up for its inventory once a minute (sooner while one of its VMs is `unknown`), and runs its
 * clean-ups.
 */
@Injectable()
export class ResyncScheduler {
  readonly #rounds: Periodic;
  /** A slow host, or a long clean-up, keeps no other host waiting. */
  readonly #underWay = new Set<Promise<void>>();

  constructor(
    @SystemDatabase() private readonly db: Database,
    private readonly link: HostLink,
    private readonly cleanups: Cleanups,
    private readonly settings: HostSettings,
    @ServiceLogger() private readonly log: Logger,
  ) {
    this.#rounds = new Periodic(() => this.#round(), {
      everyMs: settings.resyncTickMs,
      onError: (error) => log.warn({ err: error }, 'request of inventories failed'),
    });
  }

  start(): void {
    this.#rounds.start();
  }

  /** Asks no more hosts. Work in progress ends in bounded time, or another process repeats it. */
  async stop(): Promise<void> {
    this.cleanups.stop();
    await this.#rounds.stop();
    await Promise.all(this.#underWay);
  }

  /** Asks the hosts that are due. */
  async #round(): Promise<void> {
    const { results } = await this.db.primary.batch({}, [
      { statement: TAKE_DUE, params: [this.settings.resyncMs] },
    ]);
    const due = (results[0]?.rows ?? []) as unknown as { host_id: HostId }[];
    for (const { host_id } of due) this.#begin(host_id);
  }

  #begin(hostId: HostId): void {
    // A host that does not answer is not an error here: heartbeats show its state, and it is asked again in a minute.
    const done: Promise<void> = Promise.all([this.link.askForInventory(hostId), this.cleanups.run(hostId)])
      .then(() => undefined)
      .catch((error: unknown) => this.log.warn({ err: error, hostId }, 'resync of a host failed'))
      .finally(() => this.#underWay.delete(done));
    this.#underWay.add(done);
  }
}
