import { newId, type EventId, type HostId, type VmId } from '@novacron/contracts/ids';
import { appendCall, type NewEvent } from '@novacron/outbox/append';
import type { Call, Database, Statement, Transaction } from '@novacron/postgres/database';
import { withRetry } from '@novacron/postgres/retry';
import { databaseNow } from '../database/clock.js';
import { applyHostEffects, type HostChange } from '../hosts/capacity.js';
import { changeVmsCalls, requireAll, type VmChange, lockVmsCall } from '../vms/change.js';
import type { VmRow } from '../vms/row.js';
import { advance, type Ended } from './advance.js';
import { LEASE_MS } from './leases.js';
import type { LeasedJob } from './operation.js';
import { LIVE, toJob, type JobRow } from './row.js';

/** The lease was lost: to a force-stop or a delete, or to another worker when it had ended. */
export class LeaseLost extends Error {}
/** The chosen host has no capacity left: place again. */
export class CapacityLost extends Error {}

const LOCK_JOBS: Statement = {
  name: 'jobs-lock',
  text: 'SELECT * FROM jobs WHERE id = ANY($1) ORDER BY id FOR UPDATE',
};

const UPDATE_JOBS: Statement = {
  name: 'jobs-update',
  text: `UPDATE jobs j SET (status, step, step_index, step_count, attempt, undoing, lease_owner, deadline, args, error,
        history, version, updated_at) =
      (x.status, x.step, x.step_index, x.step_count, x.attempt, x.undoing, x.lease_owner, x.deadline, x.args, x.error,
        x.history, x.version, x.updated_at),
      due_at = now() + make_interval(secs => d.ms / 1000.0)
    FROM json_populate_recordset(null::jobs, $1) x JOIN unnest($2::uuid[], $3::float8[]) AS d(id, ms) ON d.id = x.id
    WHERE j.id = x.id`,
};

const KEEP_PLACEMENTS: Statement = {
  name: 'placements-keep',
  text: `INSERT INTO placements (tenant_id, vm_id, host_id, decided_at, explanation)
    SELECT tenant_id, vm_id, host_id, decided_at, explanation FROM json_populate_recordset(null::placements, $1)
    ON CONFLICT (tenant_id, vm_id) DO UPDATE
      SET host_id = excluded.host_id, decided_at = excluded.decided_at, explanation = excluded.explanation`,
};

/**
 * Ends steps: job, VM, host capacity, quota and events of each in one transaction, up to a batch of them
 * together. A step whose lease was lost is answered with {@link LeaseLost} and changes nothing.
 * @returns for each its leased job as it is now, in order
 */
export function commitSteps(db: Database, ended: readonly Ended[]): Promise<(LeasedJob | Error)[]> {
  return withRetry(async () => {
    const { result } = await db.transaction({}, (tx) => write(tx, ended));
    return result;
  });
}

async function write(tx: Transaction, ended: readonly Ended[]): Promise<(LeasedJob | Error)[]> {
  const now = databaseNow();
  const { vms, jobs } = await lock(tx, ended);
  const holding = ended.filter((e) => holds(e.leased, jobs.get(e.leased.job.id)));
  const { refused } = await applyHostEffects(
    tx,
    holding.flatMap((e) => hostChange(e, vms)),
    now,
  );

  const changes: VmChange[] = [];
  const writes: Write[] = [];
  const answers = ended.map((step): LeasedJob | Error => {
    const vm = vms.get(step.leased.vm.id);
    const job = jobs.get(step.leased.job.id);
    if (!vm || !job || !holds(step.leased, job)) return new LeaseLost();
    if (refused.has(vm.id)) return new CapacityLost();
    const next = advance(step, vm, job, now);
    // A wait without a change of the VM does not make a new version.
    if (Object.keys(next.patch).length > 0) changes.push({ row: vm, patch: next.patch });
    writes.push({ ended: step, job: next.job, dueInMs: next.dueInMs ?? LEASE_MS });
    return { vm, job: next.job };
  });
  const changed = await keep(tx, changes, writes, now);
  return answers.map((answer) =>
    answer instanceof Error ? answer : { ...answer, vm: changed.get(answer.vm.id) ?? answer.vm },
  );
}

interface Write {
  readonly ended: Ended;
  readonly job: JobRow;
  readonly dueInMs: number;
}

/** VMs first, then jobs, each in the order of ids: every transaction that locks both does so in this order. */
async function lock(tx: Transaction, ended: readonly Ended[]) {
  const [vms, jobs] = await tx.pipeline([
    lockVmsCall(ended.map((e) => e.leased.vm.id)),
    { statement: LOCK_JOBS, params: [ended.map((e) => e.leased.job.id)] },
  ]);
  return {
    vms: new Map(((vms?.rows ?? []) as unknown as VmRow[]).map((vm) => [vm.id, vm])),
    jobs: new Map(((jobs?.rows ?? []) as unknown as JobRow[]).map((job) => [job.id, job])),
  };
}

function holds(leased: LeasedJob, job: JobRow | undefined): boolean {
  return (
    job?.lease_owner === leased.job.lease_owner && job.fence === leased.job.fence && job.status === 'running'
  );
}

function hostChange(step: Ended, vms: Map<VmId, VmRow>): HostChange[] {
  const effect = step.result.host;
  const vm = vms.get(step.leased.vm.id);
  if (!effect || !vm) return [];
  const on = (hostId: HostId | null, what: HostChange['effect']): HostChange[] =>
    hostId === null ? [] : [{ effect: what, hostId, vm }];
  switch (effect.effect) {
    case 'reserve':
      return on(effect.hostId, 'reserve');
    case 'move':
      return [...on(effect.hostId, 'reserve'), ...on(vm.host_id, 'leave-cleanup')];
    default:
      return on(vm.host_id, effect.effect);
  }
}

/** Sends every write of the steps in one round trip. */
async function keep(tx: Transaction, changes: readonly VmChange[], writes: readonly Write[], now: Date) {
  const { rows, calls } = changes.length > 0 ? changeVmsCalls(changes, now) : { rows: [], calls: [] };
  const over = writes.filter((w) => !LIVE.includes(w.job.status));
  const [updated] = await tx.pipeline([
    ...calls,
    ...(writes.length > 0 ? [updateJobs(writes)] : []),
    ...keepPlacements(writes),
    ...(over.length > 0 ? [appendCall(over.map((w) => jobEvent(w.job)))] : []),
  ]);
  if (changes.length > 0) requireAll(updated?.rowCount, changes.length);
  return new Map(rows.map((vm) => [vm.id, vm]));
}

function updateJobs(writes: readonly Write[]): Call {
  const jobs = writes.map((w) => w.job);
  return {
    statement: UPDATE_JOBS,
    params: [JSON.stringify(jobs), jobs.map((job) => job.id), writes.map((w) => w.dueInMs)],
  };
}

function keepPlacements(writes: readonly Write[]): Call[] {
  const rows = writes.flatMap(({ ended: { leased, result } }) =>
    result.placement
      ? [
          {
            tenant_id: leased.vm.tenant_id,
            vm_id: leased.vm.id,
            host_id: result.placement.hostId,
            decided_at: result.placement.decidedAt,
            explanation: result.placement,
          },
        ]
      : [],
  );
  return rows.length === 0 ? [] : [{ statement: KEEP_PLACEMENTS, params: [JSON.stringify(rows)] }];
}

/** Only the end of a job is an event; until then the VM's `task` shows its progress. */
export function jobEvent(job: JobRow): NewEvent {
  return {
    id: newId<EventId>(),
    type: `job.${job.status}`,
    tenantId: job.tenant_id,
    kind: 'job',
    resourceId: job.id,
    version: job.version,
    at: job.updated_at.toISOString(),
    data: toJob(job),
  };
}
