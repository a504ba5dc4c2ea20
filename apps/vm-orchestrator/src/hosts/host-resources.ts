import { Injectable } from '@nestjs/common';
import { ServiceLogger, SystemDatabase } from '@novacron/service-kit/inject';
import type { HostId } from '@novacron/contracts/ids';
import { promisable, type Capacity } from '@novacron/contracts/infrastructure';
import { appendEvents } from '@novacron/outbox/append';
import type { Database, Statement } from '@novacron/postgres/database';
import { withRetry } from '@novacron/postgres/retry';
import type { Logger } from '@novacron/telemetry/logger';
import { databaseNow } from '../database/clock.js';
import { RESOURCES } from './host-view.js';
import { HostSnapshot } from './snapshot.js';
import { HostConditions } from './conditions.js';
import { bounded, withCapacityLimit } from './host-record.js';
import { HOST_COLUMNS, hostEvent, type HostRow } from './row.js';

const SET: Statement = {
  name: 'hosts-set-resources',
  text: `UPDATE hosts h SET cpu = $3, memory = $4, disk = $5, physical = $6, updated_at = $7, version = version + 1
    WHERE h.id = $1 AND h.epoch = $2 RETURNING ${HOST_COLUMNS}`,
};
/** A smaller change of the capacity does not make a new version of the host. */
const WORTH_A_VERSION = 0.01;

/** Follows the resources of hosts: other processes than the guests may fill a file system. */
@Injectable()
export class HostResources {
  constructor(
    @SystemDatabase() private readonly db: Database,
    private readonly snapshot: HostSnapshot,
    private readonly conditions: HostConditions,
    @ServiceLogger() private readonly log: Logger,
  ) {}

  /** Applies the resources that the agent measured, up to its record's bound. Without a change it costs no query. */
  async report(hostId: HostId, physical: Capacity): Promise<void> {
    const known = this.snapshot.host(hostId);
    if (!known) return;
    const promised = promisable(physical, known.overcommit);
    await this.conditions.change(hostId, (conditions, now) =>
      withCapacityLimit(conditions, promised, known.approved, now),
    );
    const { cpu, memory, disk } = bounded(promised, known.approved);
    if (!differs(known.capacity, { cpu, memory, disk })) return;
    const { result: row } = await withRetry(() =>
      this.db.transaction({}, async (tx) => {
        const params = [hostId, known.epoch, cpu, memory, disk, JSON.stringify(physical), databaseNow()];
        const after = (await tx.query<HostRow>(SET, params)).rows[0];
        if (after) await appendEvents(tx, [hostEvent(after)]);
        return after;
      }),
    );
    await this.snapshot.refresh();
    if (row) this.log.info({ hostId, host: row.name, physical }, 'host resources changed');
  }
}

/** Whether a resource changed by a whole unit and by more than a hundredth. */
function differs(before: Capacity, after: Capacity): boolean {
  return RESOURCES.some((resource) => {
    const change = Math.abs(after[resource] - before[resource]);
    return change >= 1 && change > before[resource] * WORTH_A_VERSION;
  });
}
