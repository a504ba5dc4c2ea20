import { Injectable } from '@nestjs/common';
import { Periodic } from '@novacron/async/periodic';
import { ServiceLogger, SystemDatabase } from '@novacron/service-kit/inject';
import type { Database, Statement } from '@novacron/postgres/database';
import type { Logger } from '@novacron/telemetry/logger';
import { observableGauge } from '@novacron/telemetry/metrics';

const LOOK_EVERY_MS = 5_000;
const COUNT_VMS_EVERY = 3;
/** An older reading is not shown: a gauge that stands still would look healthy. */
const FRESH_MS = 30_000;
/** A job is overdue so long after its time. A job of a crashed worker is released sooner. */
const GRACE_S = 30;

const LIVE = `status IN ('queued', 'running', 'waiting')`;
const LOOK: Statement = {
  name: 'backlog-look',
  table: 'jobs',
  // LEAST ignores NULL. The counter's `published` is written with the numbered batch after the publication.
  text: `SELECT
      (SELECT count(*)::int FROM jobs WHERE ${LIVE} AND due_at < now() - interval '${GRACE_S} s') AS unclaimed,
      (SELECT count(*)::int FROM jobs WHERE ${LIVE} AND deadline < now() - interval '${GRACE_S} s') AS late,
      (SELECT extract(epoch FROM now() - min(due_at))::float8 FROM jobs
        WHERE ${LIVE} AND due_at < now()) AS due_age,
      extract(epoch FROM now() - least(
        (SELECT at FROM outbox_pending ORDER BY n LIMIT 1),
        (SELECT at FROM outbox WHERE seq > (SELECT published FROM outbox_counter) ORDER BY seq LIMIT 1)
      ))::float8 AS outbox_age`,
};
const COUNT_VMS: Statement = {
  name: 'backlog-vms',
  table: 'vms',
  text: `SELECT state, count(*)::int AS vms FROM vms WHERE state <> 'deleted' GROUP BY state`,
};

interface Observed {
  readonly unclaimed: number;
  readonly late: number;
  readonly due_age: number | null;
  readonly outbox_age: number | null;
}

/**
 * Shows what waits in Postgres for longer than it should, over all processes. Every process reads it every five
 * seconds: the one that should do the work may be the one that fails.
 */
@Injectable()
export class Backlog {
  readonly #looks = new Periodic(() => this.look(), {
    everyMs: LOOK_EVERY_MS,
    firstRun: 'now',
    onError: (error) => this.logger.warn({ err: error }, 'read of the backlog failed'),
  });
  #count = 0;
  #observed: { readonly at: number; readonly what: Observed } | undefined;
  #vms: { readonly at: number; readonly states: ReadonlyMap<string, number> } | undefined;

  constructor(
    @SystemDatabase() private readonly db: Database,
    @ServiceLogger() private readonly logger: Logger,
  ) {}

  start(): void {
    this.#export();
    this.#looks.start();
  }

  stop(): Promise<void> {
    return this.#looks.stop();
  }

  async look(): Promise<void> {
    const { rows } = await this.db.primary.query<Observed>(LOOK);
    if (rows[0]) this.#observed = { at: performance.now(), what: rows[0] };
    if (this.#count++ % COUNT_VMS_EVERY > 0) return;
    const counted = await this.db.replica().query<{ state: string; vms: number }>(COUNT_VMS);
    const states = new Map(counted.rows.map(({ state, vms }) => [state, vms]));
    this.#vms = { at: performance.now(), states };
  }

  #export(): void {
    const gauge = (name: string, help: string, read: (observed: Observed) => number | null) =>
      observableGauge(name, help, (observe) => {
        if (isFresh(this.#observed)) observe(read(this.#observed.what) ?? 0);
      });
    gauge(
      'novacron_outbox_oldest_seconds',
      'Age of the oldest committed event that JetStream does not have',
      (observed) => observed.outbox_age,
    );
    gauge(
      'novacron_jobs_oldest_due_seconds',
      'How long the job that waits longest for a worker has been due',
      (observed) => observed.due_age,
    );
    observableGauge(
      'novacron_jobs_overdue',
      `Live jobs ${GRACE_S} s after their time: due without a worker, or past their deadline`,
      (observe) => {
        if (!isFresh(this.#observed)) return;
        observe(this.#observed.what.unclaimed, { reason: 'unclaimed' });
        observe(this.#observed.what.late, { reason: 'deadline' });
      },
    );
    observableGauge('novacron_vms', 'VMs by state, over all tenants', (observe) => {
      if (isFresh(this.#vms)) for (const [state, vms] of this.#vms.states) observe(vms, { state });
    });
  }
}

function isFresh<T extends { readonly at: number }>(seen: T | undefined): seen is T {
  return seen !== undefined && performance.now() - seen.at < FRESH_MS;
}
