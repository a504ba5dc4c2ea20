import { Injectable } from '@nestjs/common';
import { Periodic } from '@novacron/async/periodic';
import { ServiceLogger, SystemDatabase } from '@novacron/service-kit/inject';
import { ServiceError } from '@novacron/contracts/errors';
import type { HostId } from '@novacron/contracts/ids';
import type { HeartbeatReply } from '@novacron/contracts/agents';
import { appendEvents } from '@novacron/outbox/append';
import type { Database, Statement } from '@novacron/postgres/database';
import type { Logger } from '@novacron/telemetry/logger';
import type { z } from 'zod';
import { databaseNow } from '../database/clock.js';
import { HostSnapshot } from './snapshot.js';
import { HeartbeatContents, type Reported } from './heartbeat-contents.js';
import { HOST_COLUMNS, HOST_UNREACHABLE, hostEvent, type HostRow } from './row.js';
import { withoutCondition } from '../vms/conditions.js';
import { downAfterMs, HostSettings } from './settings.js';

type Needed = z.infer<typeof HeartbeatReply>['needed'];

const PERSIST: Statement = {
  name: 'heartbeats-persist',
  // By the database's clock; in the order of ids, so that two orchestrators cannot wait for each other.
  text: `INSERT INTO heartbeats (host_id, at)
    SELECT x.id, now() - make_interval(secs => x.age_ms / 1000)
      FROM unnest($1::uuid[], $2::float8[]) AS x(id, age_ms)
      -- A host that was removed meanwhile must not keep the others' heartbeats from being written.
      WHERE EXISTS (SELECT FROM hosts h WHERE h.id = x.id) ORDER BY x.id
    ON CONFLICT (host_id) DO UPDATE SET at = greatest(heartbeats.at, excluded.at)`,
};
const LOCK: Statement = {
  name: 'hosts-lock',
  text: `SELECT ${HOST_COLUMNS} FROM hosts h WHERE h.id = $1 FOR UPDATE OF h`,
};
const RETURNS: Statement = {
  name: 'hosts-return',
  text: `UPDATE hosts h SET state = 'up', conditions = $2, updated_at = $3, version = version + 1 WHERE h.id = $1
    RETURNING ${HOST_COLUMNS}`,
};
const RECEIVED: Statement = {
  name: 'heartbeats-heard',
  text: 'UPDATE heartbeats SET at = greatest(at, now()) WHERE host_id = $1',
};
const INVENTORY_LATER: Statement = {
  name: 'inventories-later',
  text: `UPDATE inventories SET next_at = now() + make_interval(secs => $2::float8 / 1000) WHERE host_id = $1`,
};
/** The answer to the heartbeat requests the inventory. A host that does not send it is asked after so long. */
const ASK_AFTER_MS = 5_000;

/** Receives heartbeats in memory, and writes them to the database in batches. */
@Injectable()
export class Heartbeats {
  #received = new Map<HostId, number>();
  #failingSince: number | null = null;
  readonly #flushes: Periodic;

  constructor(
    @SystemDatabase() private readonly db: Database,
    private readonly snapshot: HostSnapshot,
    private readonly contents: HeartbeatContents,
    private readonly settings: HostSettings,
    @ServiceLogger() private readonly log: Logger,
  ) {
    // Not awaited: a flush that hangs must not keep back the heartbeats that arrive after it.
    this.#flushes = new Periodic(() => void this.flush(), { everyMs: settings.flushMs });
  }

  start(): void {
    this.#flushes.start();
  }

  /** Stops after the last received heartbeats have been written. */
  async stop(): Promise<void> {
    await this.#flushes.stop();
    await this.flush();
  }

  /**
   * Answers a heartbeat with what the orchestrator needs of the host.
   *
   * @param reported the agent's conditions that are true now, and the host's resources; undefined does not change them
   * @throws ServiceError `dependency_down` when heartbeats cannot be written: another orchestrator should receive it
   */
  async receive(hostId: HostId, epoch: number, reported: Reported = {}): Promise<Needed> {
    // The view may be a second old: an epoch that differs is looked up before the host is sent to register.
    if (this.snapshot.host(hostId)?.epoch !== epoch) await this.snapshot.refresh();
    const host = this.snapshot.host(hostId);
    if (host?.epoch !== epoch) return 'register';
    this.#received.set(hostId, performance.now());
    if (this.#failingSince !== null && performance.now() - this.#failingSince > this.settings.heartbeatMs) {
      throw new ServiceError('dependency_down', 'Heartbeats cannot be stored', { retryAfterMs: 500 });
    }
    await this.contents.apply(hostId, reported);
    return host.state === 'down' ? this.#bringBack(hostId, epoch) : 'nothing';
  }

  /** Writes the heartbeats since the last flush in one statement. Never rejects. */
  async flush(): Promise<void> {
    if (this.#received.size === 0) return;
    const received = this.#received;
    this.#received = new Map();
    const now = performance.now();
    try {
      const ages = [...received.values()].map((at) => now - at);
      await this.db.primary.batch({ timeoutMs: downAfterMs(this.settings) }, [
        { statement: PERSIST, params: [[...received.keys()], ages] },
      ]);
      this.#failingSince = null;
    } catch (error) {
      this.#failingSince ??= performance.now();
      for (const [hostId, at] of received) if (!this.#received.has(hostId)) this.#received.set(hostId, at);
      this.log.warn({ err: error, hosts: received.size }, 'write of heartbeats failed');
    }
  }

  /** A host that was down sends heartbeats under its old epoch: it was cut off, not restarted. */
  async #bringBack(hostId: HostId, epoch: number): Promise<Needed> {
    const { result: row } = await this.db.transaction({}, async (tx) => {
      const before = (await tx.query<HostRow>(LOCK, [hostId])).rows[0];
      if (!before || before.epoch !== epoch || before.state !== 'down') return null;
      const conditions = JSON.stringify(withoutCondition(before.conditions, HOST_UNREACHABLE));
      const [, , returned] = await tx.pipeline([
        { statement: RECEIVED, params: [hostId] },
        { statement: INVENTORY_LATER, params: [hostId, ASK_AFTER_MS] },
        { statement: RETURNS, params: [hostId, conditions, databaseNow()] },
      ]);
      const after = returned?.rows[0] as unknown as HostRow;
      await appendEvents(tx, [hostEvent(after)]);
      return after;
    });
    await this.snapshot.refresh();
    if (row) this.log.info({ hostId, host: row.name }, 'host is back');
    return row ? 'inventory' : 'nothing';
  }
}
