import { Injectable } from '@nestjs/common';
import { Periodic } from '@novacron/async/periodic';
import { Nats, ServiceLogger, SystemDatabase } from '@novacron/service-kit/inject';
import type { NatsConnection } from '@nats-io/transport-node';
import type { HostId } from '@novacron/contracts/ids';
import { isConnected } from '@novacron/messaging/connect';
import { RoundTrip } from '@novacron/messaging/round-trip';
import { appendEvents } from '@novacron/outbox/append';
import type { Database, Statement } from '@novacron/postgres/database';
import { counter } from '@novacron/telemetry/metrics';
import type { Logger } from '@novacron/telemetry/logger';
import { databaseNow } from '../database/clock.js';
import { HostSnapshot } from './snapshot.js';
import { HOST_COLUMNS, HOST_UNREACHABLE, hostEvent, type HostRow } from './row.js';
import { withCondition } from '../vms/conditions.js';
import { downAfterMs, graceMs, HostSettings } from './settings.js';
import { UnreachableVms } from './unreachable-vms.js';

const UNREACHABLE: Statement = {
  name: 'hosts-silent',
  text: `SELECT h.id FROM hosts h JOIN heartbeats b ON b.host_id = h.id
    WHERE h.state = 'up' AND b.at < now() - make_interval(secs => $1::float8 / 1000) ORDER BY b.at LIMIT 200`,
};
const LOCK_UNREACHABLE: Statement = {
  name: 'hosts-lock-silent',
  // Both rows, to observe a heartbeat that arrives while this waits for the lock.
  text: `SELECT ${HOST_COLUMNS} FROM hosts h JOIN heartbeats b ON b.host_id = h.id
    WHERE h.id = $1 AND h.state = 'up' AND b.at < now() - make_interval(secs => $2::float8 / 1000) FOR UPDATE OF h, b`,
};
const DOWN: Statement = {
  name: 'hosts-down',
  text: `UPDATE hosts h SET state = 'down', conditions = $2, updated_at = $3, version = version + 1 WHERE h.id = $1
    RETURNING ${HOST_COLUMNS}`,
};

const lost = counter(
  'novacron_hosts_lost_total',
  'Hosts that were declared down because their heartbeats were missing',
  [{}],
);

/**
 * Declares hosts without heartbeats down, and their VMs unknown. Any number of orchestrators may do this: the change is
 * a compare-and-set. After its own start, and whenever this process, NATS or the database was away, there is a grace in
 * which every host can send a heartbeat. A missing heartbeat counts only while messages of this process pass through
 * NATS and back.
 */
@Injectable()
export class DownDetector {
  readonly #looks: Periodic;
  #lastTickAt = 0;
  #trustAfter = Infinity;
  #path: RoundTrip | undefined;
  readonly #everyMs: number;

  constructor(
    @SystemDatabase() private readonly db: Database,
    @Nats() private readonly nc: NatsConnection,
    private readonly snapshot: HostSnapshot,
    private readonly unreachableVms: UnreachableVms,
    private readonly settings: HostSettings,
    @ServiceLogger() private readonly log: Logger,
  ) {
    this.#everyMs = Math.min(1_000, settings.heartbeatMs / 2);
    this.#looks = new Periodic(() => this.#look(), {
      everyMs: this.#everyMs,
      onError: (error) => {
        this.#startGrace();
        log.warn({ err: error }, 'search for unreachable hosts failed');
      },
    });
  }

  start(): void {
    if (this.#looks.active) return;
    this.#startGrace();
    this.#path = new RoundTrip(this.nc, 'wake.orchestrator');
    this.#lastTickAt = performance.now();
    this.#looks.start();
  }

  async stop(): Promise<void> {
    await this.#looks.stop();
    this.#path?.close();
  }

  /** One round, never two at a time. Never rejects. */
  tick(): Promise<void> {
    return this.#looks.run();
  }

  async #look(): Promise<void> {
    const now = performance.now();
    const late = now - this.#lastTickAt > this.#everyMs + downAfterMs(this.settings) / 2;
    this.#lastTickAt = now;
    if (late || !isConnected(this.nc) || !this.#pathIsLive()) this.#startGrace();
    const { rows } = await this.db.primary.query<{ id: HostId }>(UNREACHABLE, [downAfterMs(this.settings)]);
    const trusted = rows.length > 0 && performance.now() >= this.#trustAfter;
    if (trusted) {
      for (const { id } of rows) await this.#setDown(id);
      await this.snapshot.refresh();
    }
    await this.unreachableVms.sweep();
  }

  /** Notices a broken path well before a host whose last heartbeat just arrived would count as unreachable. */
  #pathIsLive(): boolean {
    this.#path?.send();
    return (this.#path?.silentForMs ?? 0) <= this.#everyMs + downAfterMs(this.settings) / 3;
  }

  #startGrace(): void {
    this.#trustAfter = performance.now() + graceMs(this.settings);
  }

  async #setDown(hostId: HostId): Promise<void> {
    const { result: row } = await this.db.transaction({}, async (tx) => {
      const unreachable = (await tx.query<HostRow>(LOCK_UNREACHABLE, [hostId, downAfterMs(this.settings)]))
        .rows[0];
      if (!unreachable) return null;
      const now = databaseNow();
      const conditions = withCondition(unreachable.conditions, {
        type: HOST_UNREACHABLE,
        status: 'true',
        reason: 'HeartbeatsMissed',
        message: `not heard since ${unreachable.last_heartbeat_at?.toISOString()}`,
        lastTransitionAt: now.toISOString(),
      });
      const { rows } = await tx.query<HostRow>(DOWN, [hostId, JSON.stringify(conditions), now]);
      const down = rows[0] as HostRow;
      await appendEvents(tx, [hostEvent(down)]);
      return down;
    });
    if (!row) return;
    lost.add();
    this.log.warn({ hostId, host: row.name, vms: row.vm_count }, 'host is down');
  }
}
