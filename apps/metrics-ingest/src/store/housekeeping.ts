import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Periodic } from '@novacron/async/periodic';
import type { Database, Statement } from '@novacron/postgres/database';
import type { Logger } from '@novacron/telemetry/logger';
import { observableGauge } from '@novacron/telemetry/metrics';
import { DrainCoordinator } from '@novacron/service-kit/drain';
import { ServiceLogger, SystemDatabase } from '@novacron/service-kit/inject';
import { moveArrived } from './latest.js';
import { Partitions } from './partitions.js';

const EVERY_MS = 15_000;
const FORGET_EVERY = 40;

/** A deleted VM is removed when its last points are. */
const FORGET_VMS: Statement = {
  name: 'metrics_forget_vms',
  text: `WITH gone AS (
           DELETE FROM metrics.vms WHERE (tenant_id, vm_id) IN
             (SELECT tenant_id, vm_id FROM metrics.vms WHERE deleted_at < $1 LIMIT 1000) RETURNING tenant_id, vm_id)
         DELETE FROM metrics.latest l USING gone WHERE l.tenant_id = gone.tenant_id AND l.vm_id = gone.vm_id`,
  table: 'vms',
};

/** Counts of dropped points are kept for a week. Dead letters are kept as long, at most the newest 200. */
const KEPT_MS = 7 * 86_400_000;
const FORGET_DROPPED: Statement = {
  name: 'metrics_forget_dropped',
  text: 'DELETE FROM metrics.dropped WHERE hour < $1',
  table: 'dropped',
};
const FORGET_DEAD: Statement = {
  name: 'metrics_forget_dead_letters',
  text: `DELETE FROM metrics.dead_letters WHERE created_at < to_timestamp($1::float8 / 1000) OR created_at <
           (SELECT created_at FROM metrics.dead_letters ORDER BY created_at DESC OFFSET 199 LIMIT 1)`,
  table: 'dead_letters',
};

/** Runs the store's periodic tasks. A task that fails is logged and runs again in the next round. */
@Injectable()
export class Housekeeping implements OnApplicationBootstrap {
  readonly #rounds = new Periodic(() => this.#round(), {
    everyMs: EVERY_MS,
    firstRun: 'now',
    onError: (err) => this.logger.warn({ err }, 'metric store housekeeping failed'),
  });
  #count = 0;

  constructor(
    @SystemDatabase() private readonly db: Database,
    private readonly partitions: Partitions,
    @ServiceLogger() private readonly logger: Logger,
    private readonly drain: DrainCoordinator,
  ) {
    observableGauge(
      'novacron_metrics_rows_per_second',
      'Rows that all ingesters took in, over the last minute',
      (observe) => {
        const rate = partitions.rowsPerSecond;
        if (rate !== undefined) observe(rate);
      },
    );
  }

  onApplicationBootstrap(): void {
    this.#rounds.start();
    this.drain.add('consumers', 'housekeeping', () => this.#rounds.stop());
  }

  async #round(): Promise<void> {
    const round = this.#count++;
    await this.partitions.maintain();
    await moveArrived(this.db);
    if (round % FORGET_EVERY === 0) await this.#forget();
  }

  async #forget(): Promise<void> {
    const now = Date.now();
    await this.db.primary.batch({}, [
      { statement: FORGET_VMS, params: [this.partitions.window().oldest] },
      { statement: FORGET_DROPPED, params: [now - KEPT_MS] },
      { statement: FORGET_DEAD, params: [now - KEPT_MS] },
    ]);
  }
}
