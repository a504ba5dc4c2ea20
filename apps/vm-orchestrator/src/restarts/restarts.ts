import { Injectable } from '@nestjs/common';
import { Periodic } from '@novacron/async/periodic';
import { Relay } from '@novacron/outbox/relay';
import { ServiceLogger, SystemDatabase } from '@novacron/service-kit/inject';
import type { VmId } from '@novacron/contracts/ids';
import type { Database, Statement, Transaction } from '@novacron/postgres/database';
import type { Logger } from '@novacron/telemetry/logger';
import { gate } from '@novacron/vm-lifecycle/actions';
import { databaseNow } from '../database/clock.js';
import { changeVms, lockVms } from '../vms/change.js';
import { intend } from '../admission/intent.js';
import { Dispatcher } from '../jobs/dispatcher.js';
import { INSERT_JOBS } from '../jobs/new-job.js';
import { restartOf, STABLE_MS, WANTED } from '../vms/restart.js';
import { gateView, type VmRow } from '../vms/row.js';

const EVERY_MS = 1_000;
const BATCH = 200;
/** A superset of the VMs that `restartOf` changes; `restartOf` decides. */
const CANDIDATES: Statement = {
  name: 'vms-to-restart',
  text: `SELECT id FROM vms
      WHERE state = 'stopped' AND desired_state = 'running' AND task IS NULL AND restart_policy IS NOT NULL
        AND restart_policy ->> 'mode' <> 'never' AND (restart_at IS NULL OR restart_at <= now())
        AND NOT stop_reason = ANY($1)
        AND NOT (restart_policy ->> 'mode' = 'on-failure' AND stop_reason = 'guest_shutdown')
        AND NOT conditions @> '[{"type": "CrashLoop", "reason": "AttemptsExhausted"}]'
    UNION ALL SELECT id FROM vms
      WHERE restarts > 0 AND state = 'running' AND task IS NULL
        AND restarted_at < now() - interval '${STABLE_MS} ms'
    LIMIT ${BATCH}`,
};
/** The options of a start by policy, which has no caller. */
const OPTIONS = { graceSeconds: 30 };

/** Restarts guests after an unexpected end, by the restart policies of their VMs. */
@Injectable()
export class Restarts {
  readonly #rounds = new Periodic(() => this.#look(), {
    everyMs: EVERY_MS,
    onError: (error) => this.log.warn({ err: error }, 'restart of guests failed'),
  });

  constructor(
    @SystemDatabase() private readonly db: Database,
    private readonly relay: Relay,
    private readonly dispatcher: Dispatcher,
    @ServiceLogger() private readonly log: Logger,
  ) {}

  start(): void {
    this.#rounds.start();
  }

  stop(): Promise<void> {
    return this.#rounds.stop();
  }

  /** One round, never two at a time. Any number of orchestrators may run it: VMs are judged under their locks. */
  tick(): Promise<void> {
    return this.#rounds.run();
  }

  async #look(): Promise<void> {
    const { rows } = await this.db.primary.query<{ id: VmId }>(CANDIDATES, [WANTED]);
    if (rows.length === 0) return;
    const ids = rows.map(({ id }) => id);
    const { result: started } = await this.db.transaction({}, (tx) => restart(tx, ids));
    this.relay.wake();
    this.dispatcher.wake(0);
    if (started > 0) this.log.info({ vms: started }, 'guests restarted after an unexpected end');
  }
}

async function restart(tx: Transaction, ids: readonly VmId[]): Promise<number> {
  const now = databaseNow();
  const decided = (await lockVms(tx, ids)).flatMap((row) => {
    const next = restartOf(row, now);
    if (next.then === 'nothing') return [];
    const started = next.then === 'start' ? startOf(row, now) : { patch: {}, job: null };
    return [{ row, patch: { ...started.patch, ...next.patch }, job: started.job }];
  });
  await changeVms(tx, decided, now);
  const jobs = decided.flatMap(({ job }) => job ?? []);
  if (jobs.length > 0) await tx.query(INSERT_JOBS, [JSON.stringify(jobs)]);
  return jobs.length;
}

/** The writes of a user's start. The user's intent does not change, so the generation stays. */
function startOf(vm: VmRow, now: Date) {
  const decision = gate('start', gateView(vm));
  const intent = intend(decision, vm, { action: 'start', options: OPTIONS }, null, now);
  if (intent.job === null || intent.job === 'live') return { patch: {}, job: null };
  const { generation, restarts, conditions } = vm;
  return { patch: { ...intent.patch, generation, restarts, conditions }, job: intent.job };
}
