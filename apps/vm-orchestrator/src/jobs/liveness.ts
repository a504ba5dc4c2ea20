import { Injectable } from '@nestjs/common';
import { Periodic } from '@novacron/async/periodic';
import { ServiceLogger, SystemDatabase } from '@novacron/service-kit/inject';
import { Subject } from 'rxjs';
import { randomUUID } from 'node:crypto';
import type { Database, Statement } from '@novacron/postgres/database';
import type { Logger } from '@novacron/telemetry/logger';

const HEARTBEAT_MS = 1_000;
/** A heartbeat without an answer is given up in time for another one: a broken connection must not look like a dead worker. */
const HEARTBEAT_TIMEOUT_MS = 2_000;
/**
 * A worker without a heartbeat for this long is considered dead. If it is alive, its next commit fails, because its
 * leases are gone.
 */
const UNREACHABLE_S = 5;

const HEARTBEAT: Statement = {
  name: 'workers-beat',
  text: `INSERT INTO workers (owner, seen_at) VALUES ($1, now())
    ON CONFLICT (owner) DO UPDATE SET seen_at = excluded.seen_at`,
};
const RELEASE: Statement = {
  name: 'workers-release',
  table: 'jobs',
  text: `WITH dead AS (
      DELETE FROM workers WHERE seen_at < now() - interval '${UNREACHABLE_S} s' RETURNING owner
    )
    UPDATE jobs SET lease_owner = NULL, status = 'waiting', due_at = now() FROM dead
    WHERE jobs.lease_owner = dead.owner AND jobs.status = 'running'`,
};
const FORGET: Statement = { name: 'workers-forget', text: 'DELETE FROM workers WHERE owner = $1' };

/**
 * Proves to the other workers that this process lives, and releases the jobs of a worker that died. The lease of a job
 * ends by itself as well, much later: it has to outlast the slowest step.
 */
@Injectable()
export class Liveness {
  /** Identifies this process in leases. */
  readonly owner = randomUUID();
  /** Jobs of a dead worker are due again. */
  readonly jobsReleased = new Subject<void>();
  readonly #heartbeats = new Periodic(() => this.heartbeat(), {
    everyMs: HEARTBEAT_MS,
    onError: (error) => this.logger.warn({ err: error }, 'worker heartbeat failed'),
  });

  constructor(
    @SystemDatabase() private readonly db: Database,
    @ServiceLogger() private readonly logger: Logger,
  ) {}

  /** Resolves after the first heartbeat: this process may lease jobs then. */
  async start(): Promise<void> {
    await this.heartbeat();
    this.#heartbeats.start();
  }

  /** To be called when every lease has been released. */
  async stop(): Promise<void> {
    await this.#heartbeats.stop();
    await this.db.primary.batch({}, [{ statement: FORGET, params: [this.owner] }]);
  }

  async heartbeat(): Promise<void> {
    const { results } = await this.db.primary.batch({ timeoutMs: HEARTBEAT_TIMEOUT_MS }, [
      { statement: HEARTBEAT, params: [this.owner] },
      { statement: RELEASE },
    ]);
    const released = results[1]?.rowCount ?? 0;
    if (released === 0) return;
    this.logger.warn({ jobs: released }, 'worker died, its jobs go on');
    this.jobsReleased.next();
  }
}
