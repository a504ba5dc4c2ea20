import { ServiceError } from '@novacron/contracts/errors';
import type { TenantId } from '@novacron/contracts/ids';
import type { Quota } from '@novacron/contracts/infrastructure';
import type { Call, Statement, Transaction } from '@novacron/postgres/database';
import { ensureQuota } from './quota-settings.js';

export interface Size {
  readonly cpu: number;
  readonly memory: number;
  readonly disk: number;
}

/** The limits of a tenant without limits of its own. */
export interface QuotaDefaults extends Size {
  readonly vms: number;
}

export interface QuotaRow {
  tenant_id: TenantId;
  limit_vms: number;
  limit_cpu: number;
  limit_memory: number;
  limit_disk: number;
  used_vms: number;
  used_cpu: number;
  used_memory: number;
  used_disk: number;
}

const LOCK: Statement = { name: 'quotas-lock', text: 'SELECT * FROM quotas WHERE tenant_id = $1 FOR UPDATE' };

export const READ_QUOTA: Statement = {
  name: 'quotas-read',
  text: 'SELECT * FROM quotas WHERE tenant_id = $1',
};

const RELEASE: Statement = {
  name: 'quotas-release',
  text: `UPDATE quotas q SET used_vms = used_vms - f.vms, used_cpu = used_cpu - f.cpu,
      used_memory = used_memory - f.memory, used_disk = used_disk - f.disk
    FROM unnest($1::uuid[], $2::int8[], $3::int8[], $4::int8[], $5::int8[]) AS f(tenant_id, vms, cpu, memory, disk)
    WHERE q.tenant_id = f.tenant_id`,
};

/** Locks a tenant's quota for the transaction: transactions that use it run one after the other. */
export async function lockQuota(
  tx: Transaction,
  tenantId: TenantId,
  defaults: QuotaDefaults,
): Promise<QuotaRow> {
  const found = (await tx.query<QuotaRow>(LOCK, [tenantId])).rows[0];
  if (found) return found;
  await ensureQuota(tx, tenantId, defaults);
  return (await tx.query<QuotaRow>(LOCK, [tenantId])).rows[0] as QuotaRow;
}

/** The lock as a call, to be sent with others; without a row the tenant has no quota yet. */
export function lockQuotaCall(tenantId: TenantId): Call {
  return { statement: LOCK, params: [tenantId] };
}

const SAVE_USED: Statement = {
  name: 'quotas-save-used',
  text: 'UPDATE quotas SET used_vms = $2, used_cpu = $3, used_memory = $4, used_disk = $5 WHERE tenant_id = $1',
};

/** Writes the usage, of a row that this transaction has locked. */
export function saveUsedCall(q: QuotaRow): Call {
  return { statement: SAVE_USED, params: [q.tenant_id, q.used_vms, q.used_cpu, q.used_memory, q.used_disk] };
}

/** The limits that one more VM would exceed, in words; null when it fits. */
export function exceeds(quota: QuotaRow, size: Size): string | null {
  const left = {
    vms: quota.limit_vms - quota.used_vms,
    cpu: quota.limit_cpu - quota.used_cpu,
    memory: quota.limit_memory - quota.used_memory,
    disk: quota.limit_disk - quota.used_disk,
  };
  const wanted = { vms: 1, ...size };
  const over = (Object.keys(left) as (keyof typeof left)[]).filter((what) => wanted[what] > left[what]);
  if (over.length === 0) return null;
  const units = { vms: 'VMs', cpu: 'vCPU', memory: 'MiB of memory', disk: 'GiB of disk' };
  return over.map((what) => `${wanted[what]} ${units[what]} asked, ${left[what]} left`).join('; ');
}

/**
 * Takes a VM's size of its tenant's quota, within the transaction.
 * @throws ServiceError `quota_exceeded`
 */
export async function takeQuota(
  tx: Transaction,
  vm: Size & { readonly tenant_id: TenantId },
  defaults: QuotaDefaults,
): Promise<void> {
  const quota = await lockQuota(tx, vm.tenant_id, defaults);
  const over = exceeds(quota, vm);
  if (over) throw new ServiceError('quota_exceeded', `The tenant's quota does not hold this VM: ${over}`);
  take(quota, vm);
  await tx.pipeline([saveUsedCall(quota)]);
}

export function take(quota: QuotaRow, size: Size): void {
  quota.used_vms += 1;
  quota.used_cpu += size.cpu;
  quota.used_memory += size.memory;
  quota.used_disk += size.disk;
}

/** Releases the quota of VMs. The caller has compared and set each VM's `quota_held`. */
export function releaseQuotaCalls(freed: readonly (Size & { readonly tenant_id: TenantId })[]): Call[] {
  if (freed.length === 0) return [];
  const sums = new Map<TenantId, { vms: number; cpu: number; memory: number; disk: number }>();
  for (const vm of freed) {
    const sum = sums.get(vm.tenant_id) ?? { vms: 0, cpu: 0, memory: 0, disk: 0 };
    sums.set(vm.tenant_id, {
      vms: sum.vms + 1,
      cpu: sum.cpu + vm.cpu,
      memory: sum.memory + vm.memory,
      disk: sum.disk + vm.disk,
    });
  }
  // In the order of ids, so that two transactions cannot wait for each other.
  const tenants = [...sums.keys()].sort();
  const column = (what: 'vms' | 'cpu' | 'memory' | 'disk') => tenants.map((id) => sums.get(id)?.[what] ?? 0);
  return [
    { statement: RELEASE, params: [tenants, column('vms'), column('cpu'), column('memory'), column('disk')] },
  ];
}

export function toQuota(row: QuotaRow | undefined, defaults: QuotaDefaults): Quota {
  if (!row) return { limits: { ...defaults }, used: { vms: 0, cpu: 0, memory: 0, disk: 0 } };
  return {
    limits: { vms: row.limit_vms, cpu: row.limit_cpu, memory: row.limit_memory, disk: row.limit_disk },
    used: { vms: row.used_vms, cpu: row.used_cpu, memory: row.used_memory, disk: row.used_disk },
  };
}
