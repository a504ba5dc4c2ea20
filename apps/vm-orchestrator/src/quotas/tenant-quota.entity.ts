import { Column, Entity, PrimaryColumn, type ColumnOptions } from 'typeorm';

const amount = (name: string, more: ColumnOptions = {}) => Column({ name, type: 'bigint', ...more });

/** What a tenant may have, and what its VMs use of it. The second half changes with each create: see `quotas.ts`. */
@Entity('quotas')
export class TenantQuota {
  @PrimaryColumn({ name: 'tenant_id', type: 'uuid', primaryKeyConstraintName: 'quotas_pkey' })
  tenantId!: string;

  @amount('limit_vms')
  limitVms!: number;

  @amount('limit_cpu')
  limitCpu!: number;

  @amount('limit_memory')
  limitMemory!: number;

  @amount('limit_disk')
  limitDisk!: number;

  @amount('used_vms', { default: 0 })
  usedVms!: number;

  @amount('used_cpu', { default: 0 })
  usedCpu!: number;

  @amount('used_memory', { default: 0 })
  usedMemory!: number;

  @amount('used_disk', { default: 0 })
  usedDisk!: number;
}
