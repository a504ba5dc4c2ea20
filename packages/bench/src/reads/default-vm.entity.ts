import 'reflect-metadata';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The table of VMs as an entity that is written down column by column. */
@Entity({ name: 'vms', schema: 'orchestrator' })
export class VmEntity {
  @PrimaryColumn('uuid', { name: 'tenant_id' }) tenantId!: string;
  @PrimaryColumn('uuid') id!: string;
  @Column('text') name!: string;
  @Column('text') state!: string;
  @Column('text', { name: 'desired_state' }) desiredState!: string;
  @Column('int') cpu!: number;
  @Column('int') memory!: number;
  @Column('int') disk!: number;
  @Column('text') image!: string;
  @Column('text') zone!: string;
  @Column('uuid', { name: 'host_id', nullable: true }) hostId!: string | null;
  @Column('jsonb') tags!: object;
  @Column('jsonb', { nullable: true }) task!: object | null;
  @Column('jsonb') conditions!: object[];
  @Column('text', { name: 'stop_reason', nullable: true }) stopReason!: string | null;
  @Column('jsonb', { name: 'last_error', nullable: true }) lastError!: object | null;
  @Column('int') generation!: number;
  @Column('int', { name: 'observed_generation' }) observedGeneration!: number;
  @Column('int') incarnation!: number;
  @Column('bigint') version!: string;
  @Column('timestamptz', { name: 'created_at' }) createdAt!: Date;
  @Column('timestamptz', { name: 'updated_at' }) updatedAt!: Date;
}
