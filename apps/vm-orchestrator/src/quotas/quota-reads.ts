import { Injectable } from '@nestjs/common';
import type { RequestMeta, RpcReply } from '@novacron/contracts/envelope';
import type { Quota } from '@novacron/contracts/infrastructure';
import type { Database } from '@novacron/postgres/database';
import { ServiceConfig, TenantDatabase } from '@novacron/service-kit/inject';
import type { OrchestratorConfig } from '../config.js';
import { servedBy, sessionFor } from '../database/read-session.js';
import { READ_QUOTA, toQuota, type QuotaRow } from './quotas.js';

/** Reads the quota of a tenant. */
@Injectable()
export class QuotaReads {
  constructor(
    @TenantDatabase() private readonly db: Database,
    @ServiceConfig() private readonly config: OrchestratorConfig,
  ) {}

  async get(meta: RequestMeta): Promise<RpcReply<Quota>> {
    const { tenantId } = meta;
    const found = await sessionFor(this.db, meta).query<QuotaRow>(READ_QUOTA, [tenantId], { tenantId });
    return { body: toQuota(found.rows[0], this.config.quota), ...servedBy(found) };
  }
}
