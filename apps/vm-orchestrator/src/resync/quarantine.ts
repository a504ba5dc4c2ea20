import type { VmFact } from '@novacron/contracts/agents';
import type { HostId, VmId } from '@novacron/contracts/ids';
import type { Database, Statement, Transaction } from '@novacron/postgres/database';
import { observableGauge } from '@novacron/telemetry/metrics';
import type { Known } from './facts.js';

const CLEANUPS_OF: Statement = {
  name: 'quarantine-cleanups',
  text: 'SELECT vm_id FROM cleanups WHERE host_id = $1 AND vm_id = ANY($2)',
};
const KEEP: Statement = {
  name: 'quarantine-keep',
  text: `INSERT INTO quarantine (host_id, vm_id, power, first_seen_at, last_seen_at)
    SELECT $1, x.vm_id, x.power, now(), now() FROM unnest($2::uuid[], $3::text[]) AS x(vm_id, power)
    ON CONFLICT (host_id, vm_id) DO UPDATE SET power = excluded.power, last_seen_at = excluded.last_seen_at
    RETURNING vm_id, first_seen_at = last_seen_at AS is_new`,
};
const GONE: Statement = {
  name: 'quarantine-gone',
  text: `DELETE FROM quarantine q WHERE host_id = $1 AND (NOT vm_id = ANY($2) OR EXISTS (
      SELECT 1 FROM vms v WHERE v.id = q.vm_id AND v.host_id = q.host_id AND v.state <> 'deleted'))`,
};
const COUNT: Statement = { name: 'quarantine-count', text: 'SELECT count(*) AS guests FROM quarantine' };

/** A VM that changed within this time may have moved after the host made its report. */
const SETTLED_AFTER_MS = 60_000;

/** Whether a guest of the host should not be there, by the present state of the database. Pure. */
export function isStranger(hostId: HostId, vm: Known | undefined, now: Date): boolean {
  if (!vm) return true;
  if (vm.host_id === hostId && vm.state !== 'deleted') return false;
  return vm.task === null && now.getTime() - vm.updated_at.getTime() > SETTLED_AFTER_MS;
}

/** Records guests that should not be there. Only a person destroys them. */
export async function quarantine(
  tx: Transaction,
  hostId: HostId,
  strangers: readonly VmFact[],
): Promise<VmId[]> {
  if (strangers.length === 0) return [];
  const ids = strangers.map(({ vmId }) => vmId);
  const ours = new Set(
    (await tx.query<{ vm_id: VmId }>(CLEANUPS_OF, [hostId, ids])).rows.map((row) => row.vm_id),
  );
  const kept = strangers.filter(({ vmId }) => !ours.has(vmId));
  const params = [hostId, kept.map(({ vmId }) => vmId), kept.map(({ power }) => power)];
  const { rows } = await tx.query<{ vm_id: VmId; is_new: boolean }>(KEEP, params);
  return rows.filter((row) => row.is_new).map((row) => row.vm_id);
}

/** Removes the records of guests that the host no longer has, and of guests that the database knows now. */
export async function forgetGone(tx: Transaction, hostId: HostId, present: readonly VmId[]): Promise<void> {
  await tx.query(GONE, [hostId, [...present]]);
}

let guests = 0;
observableGauge(
  'novacron_quarantined_guests',
  'Guests on hosts that the database does not know there; somebody has to look at them',
  (observe) => observe(guests),
);

/** Brings the metric up to date. */
export async function countQuarantined(db: Database): Promise<number> {
  const { rows } = await db.primary.query<{ guests: number }>(COUNT);
  return (guests = rows[0]?.guests ?? 0);
}
