import { Injectable } from '@nestjs/common';
import { ServiceLogger, SystemDatabase } from '@novacron/service-kit/inject';
import type { Database, Statement } from '@novacron/postgres/database';
import type { Logger } from '@novacron/telemetry/logger';
import { observableGauge } from '@novacron/telemetry/metrics';

const LOOK_EVERY_MS = 5_000;
const COUNT_VMS_EVERY = 3;
/** What was read longer ago is shown no more: a gauge that stands still would look well. */
const FRESH_MS = 30_000;
/** So long after its time a job is overdue: a crashed worker's is freed sooner. */
const GRACE_S = 30;

const LIVE = `status IN ('queued', 'running', 'waiting')`;
const LOOK: Statement = {
  name: 'backlog-look',
  table: 'jobs',
  // LEAST passes over NULL. The counter's `published` is written with the claim after the publication.
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

interface Seen {
  readonly unclaimed: number;
  readonly late: number;
  readonly due_age: number | null;
  readonly outbox_age: number | null;
}

/**
 * What waits in Postgres for longer than it should, over all processes, looked at every five seconds by each: who
 * should do the work cannot be the one to tell that nobody does it.
 */
@Injectable()
export class Backlog {
  #timer: NodeJS.Timeout | undefined;
  #looks = 0;
  #looking: Promise<void> = Promise.resolve();
  #seen: { readonly at: number; readonly what: Seen } | undefined;
  #vms: { readonly at: number; readonly states: ReadonlyMap<string, number> } | undefined;

  constructor(
    @SystemDatabase() private readonly db: Database,
    @ServiceLogger() private readonly logger: Logger,
  ) {}

  start(): void {
    this.#export();
    const look = () => (this.#looking = this.#safely());
    this.#timer = setInterval(look, LOOK_EVERY_MS);
    this.#timer.unref();
    void look();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  async look(): Promise<void> {
    const { rows } = await this.db.primary.query<Seen>(LOOK);
    if (rows[0]) this.#seen = { at: performance.now(), what: rows[0] };
    if (this.#looks++ % COUNT_VMS_EVERY > 0) return;
    const counted = await this.db.replica().query<{ state: string; vms: number }>(COUNT_VMS);
    const states = new Map(counted.rows.map(({ state, vms }) => [state, vms]));
    this.#vms = { at: performance.now(), states };
  }

  async #safely(): Promise<void> {
    try {
      await this.look();
    } catch (error) {
      this.logger.warn({ err: error }, 'the backlog could not be looked at');
    }
  }

  #export(): void {
    const gauge = (name: string, help: string, read: (seen: Seen) => number | null) =>
      observableGauge(name, help, (observe) => {
        if (isFresh(this.#seen)) observe(read(this.#seen.what) ?? 0);
      });
    gauge(
      'novacron_outbox_oldest_seconds',
      'Age of the oldest committed event that JetStream does not have',
      (seen) => seen.outbox_age,
    );
    gauge(
      'novacron_jobs_oldest_due_seconds',
      'How long the job that waits longest for a worker has been due',
      (seen) => seen.due_age,
    );
    observableGauge(
      'novacron_jobs_overdue',
      `Live jobs ${GRACE_S} s after their time: due and claimed by nobody, or past their deadline`,
      (observe) => {
        if (!isFresh(this.#seen)) return;
        observe(this.#seen.what.unclaimed, { reason: 'unclaimed' });
        observe(this.#seen.what.late, { reason: 'deadline' });
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
