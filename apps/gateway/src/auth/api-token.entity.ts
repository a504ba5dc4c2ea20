import type { Role } from '@novacron/contracts/envelope';
import {
  Check,
  Column,
  CreateDateColumn,
  Entity,
  JoinColumn,
  ManyToOne,
  PrimaryColumn,
  Unique,
  type Relation,
} from 'typeorm';
import { Tenant } from './tenant.entity.js';

/** A token of the API, stored by its keyed hash. */
@Entity('api_tokens')
@Unique('api_tokens_hash_key', ['hash'])
@Unique('api_tokens_tenant_id_name_key', ['tenantId', 'name'])
@Check('api_tokens_roles_check', `roles <> '{}'`)
export class ApiToken {
  @PrimaryColumn({ name: 'tenant_id', type: 'uuid', primaryKeyConstraintName: 'api_tokens_pkey' })
  tenantId!: string;

  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'api_tokens_pkey' })
  id!: string;

  @ManyToOne(() => Tenant)
  @JoinColumn({ name: 'tenant_id', foreignKeyConstraintName: 'api_tokens_tenant_id_fkey' })
  tenant!: Relation<Tenant>;

  @Column({ type: 'text' })
  name!: string;

  /** Not selected by default: the role that serves requests may not read it. */
  @Column({ type: 'bytea', select: false })
  hash!: Buffer;

  @Column({ type: 'text', array: true })
  roles!: Role[];

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;

  @Column({ name: 'expires_at', type: 'timestamptz', nullable: true })
  expiresAt!: Date | null;

  @Column({ name: 'revoked_at', type: 'timestamptz', nullable: true })
  revokedAt!: Date | null;

  /** Without a rate limit, for the operation of the installation. */
  @Column({ type: 'boolean', default: false })
  unlimited!: boolean;
}
