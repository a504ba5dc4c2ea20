import { Injectable } from '@nestjs/common';
import { ServiceLogger, SystemDatabase } from '@novacron/service-kit/inject';
import type { HostId } from '@novacron/contracts/ids';
import type { Database, Statement } from '@novacron/postgres/database';
import { withRetry } from '@novacron/postgres/retry';
import { counter } from '@novacron/telemetry/metrics';
import type { Logger } from '@novacron/telemetry/logger';

const LOCK: Statement = { name: 'audit-lock', text: 'SELECT id FROM hosts WHERE id = $1 FOR UPDATE' };
const CORRECT: Statement = {
  name: 'audit-correct',
  text: `WITH held AS (
      SELECT cpu, memory, disk FROM vms WHERE host_id = $1 AND state <> 'deleted'
      UNION ALL SELECT cpu, memory, disk FROM cleanups WHERE host_id = $1
    ), truth AS (
      SELECT count(*)::int AS vms, coalesce(sum(cpu), 0)::float8 AS cpu, coalesce(sum(memory), 0)::float8 AS memory,
             coalesce(sum(disk), 0)::float8 AS disk FROM held
    ), before AS (SELECT * FROM hosts WHERE id = $1)
    UPDATE hosts h SET vm_count = t.vms, allocated_cpu = t.cpu, allocated_memory = t.memory, allocated_disk = t.disk
    FROM truth t, before b
    WHERE h.id = $1 AND (h.vm_count, h.allocated_cpu, h.allocated_memory, h.allocated_disk)
                        IS DISTINCT FROM (t.vms, t.cpu, t.memory, t.disk)
    RETURNING h.name, b.vm_count AS vms_before, h.vm_count AS vms, b.allocated_cpu AS cpu_before, h.allocated_cpu AS cpu`,
};

const corrections = counter(
  'novacron_host_allocation_corrections_total',
  'Hosts whose allocation was not the sum of what they hold; each one is a bug',
  [{}],
);

/**
 * Compares the allocation of a host with the sum of its VMs: those placed there that are not deleted, and deleted ones
 * that it has still to remove.
 *
 * A transaction that places or releases a VM also updates the host's row. So once the row is locked, a later statement
 * observes either all of a change or nothing of it.
 */
@Injectable()
export class AllocationAudit {
  constructor(
    @SystemDatabase() private readonly db: Database,
    @ServiceLogger() private readonly log: Logger,
  ) {}

  /** @returns whether something had to be corrected */
  async run(hostId: HostId): Promise<boolean> {
    const { results } = await withRetry(() =>
      this.db.primary.batch({}, [
        { statement: LOCK, params: [hostId] },
        { statement: CORRECT, params: [hostId] },
      ]),
    );
    const corrected = results[1]?.rows[0];
    if (!corrected) return false;
    corrections.add();
    this.log.error({ hostId, ...corrected }, 'host allocation corrected');
    return true;
  }
}
