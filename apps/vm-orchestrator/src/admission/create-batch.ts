import { ServiceError } from '@novacron/contracts/errors';
import type { TenantId } from '@novacron/contracts/ids';
import type { Position } from '@novacron/contracts/position';
import type { Vm } from '@novacron/contracts/vms';
import { appendCall } from '@novacron/outbox/append';
import type { Call, Statement, Transaction } from '@novacron/postgres/database';
import { databaseNow } from '../database/clock.js';
import {
  exceeds,
  lockQuota,
  lockQuotaCall,
  saveUsedCall,
  take,
  type QuotaDefaults,
  type QuotaRow,
} from '../quotas/quotas.js';
import { vmEvent } from '../vms/change.js';
import type { Creation } from './create.js';
import { recallCalls, recalled, rememberCalls } from './idempotency.js';
import { INSERT_JOBS } from '../jobs/new-job.js';
import { toVm, type VmRow } from '../vms/row.js';

export interface Decided {
  readonly vm: Vm;
  readonly replayed: boolean;
}
export interface Admitted extends Decided {
  readonly position: Position;
}

const TAKEN: Statement = {
  name: 'vms-names-taken',
  text: `SELECT name FROM vms WHERE tenant_id = $1 AND name = ANY($2) AND state <> 'deleted'`,
};
const INSERT_VMS: Statement = {
  name: 'vms-insert',
  text: 'INSERT INTO vms SELECT * FROM json_populate_recordset(null::vms, $1)',
};

/**
 * Decides and writes a batch of creates of one tenant in two round trips. The first reads keys, quota and names, the
 * second writes every create that is admitted.
 *
 * The tenant's quota row is locked, so its batches run one after the other. When a rename takes a name in
 * between, the insert fails on the unique index; the caller's retry then reads the new name.
 */
export async function admit(
  tx: Transaction,
  batch: readonly Creation[],
  defaults: QuotaDefaults,
): Promise<(Decided | Error)[]> {
  const tenantId = batch[0]?.meta.tenantId as TenantId;
  const names = batch.map((creation) => creation.name);
  const recall = recallCalls(batch);
  // Keys first: their locks are tried before the quota's lock makes this transaction wait. They are read after it.
  const results = await tx.pipeline([
    ...recall.slice(0, 1),
    lockQuotaCall(tenantId),
    ...recall.slice(1),
    { statement: TAKEN, params: [tenantId, names] },
  ]);
  const keyed = recall.length > 0;
  const quotaRow = results[keyed ? 1 : 0]?.rows[0] as unknown as QuotaRow | undefined;
  const quota = quotaRow ?? (await lockQuota(tx, tenantId, defaults));
  const recallOf = recalled<Vm>(keyed ? ([results[0], results[2]] as never) : []);
  const taken = new Set((results.at(-1)?.rows as unknown as { name: string }[]).map((row) => row.name));

  const admitted: Creation[] = [];
  const answers = batch.map((creation): Decided | Error => {
    const known = recallOf(creation.meta);
    if (known.outcome === 'refused') return known.error;
    if (known.outcome === 'replay') return { vm: known.answer, replayed: true };
    const vm = vmOf(creation);
    if (vm instanceof Error) return vm;
    if (taken.has(vm.name)) return new ServiceError('name_taken', `There is a VM named ${vm.name} already`);
    const over = exceeds(quota, vm);
    if (over) return new ServiceError('quota_exceeded', `The tenant's quota does not hold this VM: ${over}`);
    take(quota, vm);
    taken.add(vm.name);
    admitted.push(creation);
    return { vm: toVm(vm), replayed: false };
  });
  if (admitted.length > 0) await tx.pipeline(writes(admitted, quota));
  return answers;
}

/** The new VM, or the reason why there cannot be one now. */
function vmOf(creation: Creation): VmRow | Error {
  try {
    return creation.create().vm;
  } catch (error) {
    return error as Error;
  }
}

function writes(admitted: readonly Creation[], quota: QuotaRow): Call[] {
  const now = databaseNow();
  const created = admitted.map((creation) => creation.create());
  const vms = created.map(({ vm }) => vm);
  return [
    { statement: INSERT_VMS, params: [JSON.stringify(vms)] },
    { statement: INSERT_JOBS, params: [JSON.stringify(created.map(({ job }) => job))] },
    saveUsedCall(quota),
    appendCall(vms.map((vm) => vmEvent(vm, 'vm.created'))),
    ...rememberCalls(
      admitted.map((creation) => ({ meta: creation.meta, answer: toVm(creation.create().vm) })),
      now,
    ),
  ];
}
