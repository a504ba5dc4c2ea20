import type { TenantId } from '@novacron/contracts/ids';
import type { Transaction } from '@novacron/postgres/database';
import { EntitySet } from '@novacron/postgres/entities';
import { TenantQuota } from './tenant-quota.entity.js';

type Limits = Readonly<Record<'vms' | 'cpu' | 'memory' | 'disk', number>>;

const entities = new EntitySet('orchestrator', [TenantQuota]);

/** Gives a tenant its limits, in the transaction of its first VM; limits that are there stay. */
export async function ensureQuota(tx: Transaction, tenantId: TenantId, limits: Limits): Promise<void> {
  const manager = await entities.managerOn(tx);
  await manager
    .createQueryBuilder()
    .insert()
    .into(TenantQuota)
    .values({
      tenantId,
      limitVms: limits.vms,
      limitCpu: limits.cpu,
      limitMemory: limits.memory,
      limitDisk: limits.disk,
    })
    .orIgnore()
    .execute();
}
