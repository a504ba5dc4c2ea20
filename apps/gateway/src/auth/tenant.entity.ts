import { Check, Column, CreateDateColumn, Entity, PrimaryColumn, Unique } from 'typeorm';

/** A tenant, with the rate limit of its tokens. */
@Entity('tenants')
@Unique('tenants_name_key', ['name'])
@Check('tenants_rate_per_second_check', 'rate_per_second BETWEEN 1 AND 1000000')
export class Tenant {
  @PrimaryColumn({ name: 'tenant_id', type: 'uuid', primaryKeyConstraintName: 'tenants_pkey' })
  id!: string;

  @Column({ type: 'text' })
  name!: string;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;

  /** Of each of its tokens; null: the default. */
  @Column({ name: 'rate_per_second', type: 'integer', nullable: true })
  ratePerSecond!: number | null;
}
