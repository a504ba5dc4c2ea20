import { Injectable } from '@nestjs/common';
import { Periodic } from '@novacron/async/periodic';
import { Relay } from '@novacron/outbox/relay';
import { ServiceLogger, SystemDatabase } from '@novacron/service-kit/inject';
import type { HostId, VmId } from '@novacron/contracts/ids';
import type { HostDrain } from '@novacron/contracts/infrastructure';
import { appendEvents } from '@novacron/outbox/append';
import type { Database, Statement, Transaction } from '@novacron/postgres/database';
import type { Logger } from '@novacron/telemetry/logger';
import { isDeepStrictEqual } from 'node:util';
import { databaseNow } from '../database/clock.js';
import { HOST_COLUMNS, hostEvent, type HostRow } from '../hosts/row.js';
import { HostSnapshot } from '../hosts/snapshot.js';
import { Cleanups } from '../resync/cleanups.js';
import { changeVms, lockVms } from '../vms/change.js';
import { REBUILDABLE } from '../placement/rebuild.js';
import { Dispatcher } from '../jobs/dispatcher.js';
import { INSERT_JOBS } from '../jobs/new-job.js';
import { planDrain, type DrainedVm } from './drain-plan.js';
import { migration } from './migration.js';
import { noCapacityBeside } from './no-capacity.js';

const TICK_MS = 1_000;

const DRAINING: Statement = {
  name: 'hosts-draining',
  text: `SELECT ${HOST_COLUMNS}, pg_try_advisory_xact_lock(hashtextextended('drain ' || h.id, 7)) AS mine
    FROM hosts h WHERE h.id = $1 AND h.drain ->> 'finishedAt' IS NULL AND h.drain IS NOT NULL`,
};
const ALL_DRAINING: Statement = {
  name: 'hosts-draining-all',
  text: `SELECT id FROM hosts WHERE drain IS NOT NULL AND drain ->> 'finishedAt' IS NULL ORDER BY id`,
};
const VMS: Statement = {
  name: 'vms-of-drained-host',
  text: `SELECT v.id, v.tenant_id, v.name, v.state, v.host_id, v.task, v.last_error, v.zone, v.image, v.cpu, v.memory,
      v.disk, left(v.user_data, 1) AS user_data, v.ssh_keys, ${REBUILDABLE} AS rebuildable
    FROM vms v JOIN hosts h ON h.id = v.host_id LEFT JOIN images i ON i.name = v.image
    WHERE v.host_id = $1 AND v.state <> 'deleted' ORDER BY v.id`,
};
const PROGRESS: Statement = {
  name: 'hosts-drain-progress',
  // Not for a drain that `uncordon` has ended meanwhile, or that was begun again.
  text: `UPDATE hosts h SET drain = $2, updated_at = $3, version = version + 1
    WHERE h.id = $1 AND h.drain ->> 'startedAt' = $4 RETURNING ${HOST_COLUMNS}`,
};

/**
 * Empties hosts that are being drained, some VMs at a time. Each round reads the present state, so a crash loses
 * nothing. Of several orchestrators one handles a host at a time.
 */
@Injectable()
export class Drainer {
  readonly #rounds = new Periodic(() => this.#look(), {
    everyMs: TICK_MS,
    onError: (error) => this.log.warn({ err: error }, 'drain of hosts failed'),
  });

  constructor(
    @SystemDatabase() private readonly db: Database,
    private readonly snapshot: HostSnapshot,
    private readonly cleanups: Cleanups,
    private readonly dispatcher: Dispatcher,
    private readonly relay: Relay,
    @ServiceLogger() private readonly log: Logger,
  ) {}

  start(): void {
    this.#rounds.start();
  }

  stop(): Promise<void> {
    return this.#rounds.stop();
  }

  /** One round over the hosts that are being drained, never two at a time. Never rejects. */
  tick(): Promise<void> {
    return this.#rounds.run();
  }

  async #look(): Promise<void> {
    const { rows } = await this.db.primary.query<{ id: HostId }>(ALL_DRAINING, []);
    for (const { id } of rows) {
      await this.cleanups.run(id);
      await this.#drain(id);
    }
  }

  async #drain(hostId: HostId): Promise<void> {
    const { result: begun } = await this.db.transaction({}, async (tx) => {
      const host = (await tx.query<HostRow & { mine: boolean }>(DRAINING, [hostId])).rows[0];
      if (!host?.mine || !host.drain) return 0;
      const vms = (await tx.query<DrainedVm>(VMS, [hostId])).rows;
      const plan = planDrain(vms, noCapacityBeside(this.snapshot, hostId), databaseNow());
      const begin = await migrate(tx, host, host.drain, plan.begin);
      // The capacity of removed VMs is released last: `vm_count` includes VMs that the host has still to remove.
      const finished = host.vm_count === 0 && vms.length === 0;
      await show(tx, host, {
        ...host.drain,
        left: host.vm_count,
        blocked: plan.blocked,
        finishedAt: finished ? databaseNow().toISOString() : null,
      });
      return begin;
    });
    if (begun === 0) return;
    this.dispatcher.backlog();
    this.relay.wake();
  }
}

/** Writes the jobs of VMs that no other job has begun with since they were read. @returns how many */
async function migrate(
  tx: Transaction,
  host: HostRow,
  drain: HostDrain,
  vms: readonly DrainedVm[],
): Promise<number> {
  if (vms.length === 0) return 0;
  const rebuildable = new Map<VmId, boolean>(vms.map((vm) => [vm.id, vm.rebuildable]));
  const now = databaseNow();
  const locked = await lockVms(tx, [...rebuildable.keys()]);
  const states = ['running', 'paused', 'stopped'];
  const free = locked.filter((vm) => vm.host_id === host.id && vm.task === null && states.includes(vm.state));
  const { graceSeconds } = drain;
  const begun = free.map((row) => ({
    row,
    ...migration(row, { graceSeconds, rebuildable: rebuildable.get(row.id) === true }, now),
  }));
  await changeVms(tx, begun, now);
  await tx.pipeline([{ statement: INSERT_JOBS, params: [JSON.stringify(begun.map(({ job }) => job))] }]);
  return begun.length;
}

/** Writes the progress of the drain; without a change the host keeps its version. */
async function show(tx: Transaction, host: HostRow, drain: HostDrain): Promise<void> {
  if (isDeepStrictEqual(drain, host.drain)) return;
  const params = [host.id, JSON.stringify(drain), databaseNow(), drain.startedAt];
  const after = (await tx.query<HostRow>(PROGRESS, params)).rows[0];
  if (after) await appendEvents(tx, [hostEvent(after)]);
}
