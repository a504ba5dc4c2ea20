import { Injectable } from '@nestjs/common';
import { ServiceConfig, TenantDatabase } from '@novacron/service-kit/inject';
import type { RequestMeta, RpcReply } from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import { newId, type VmId } from '@novacron/contracts/ids';
import { formatPosition } from '@novacron/contracts/position';
import type { CreateVm, Vm } from '@novacron/contracts/vms';
import type { Database } from '@novacron/postgres/database';
import { isUniqueViolation } from '@novacron/postgres/failure';
import { withRetry } from '@novacron/postgres/retry';
import type { OrchestratorConfig } from '../config.js';
import { databaseNow } from '../database/clock.js';
import { GroupCommit } from '../database/group-commit.js';
import type { LeasedJob } from '../jobs/operation.js';
import { create as createOperation } from '../operations/create.js';
import { needsOf } from '../placement/needs.js';
import { Admission, type Ticket } from './admission.js';
import { Catalog } from './catalog.js';
import { admit, type Admitted } from './create-batch.js';
import { Dispatcher } from '../jobs/dispatcher.js';
import { newJob } from '../jobs/new-job.js';
import type { VmRow } from '../vms/row.js';

/** One create, to be committed with others. */
export interface Creation {
  readonly meta: RequestMeta;
  readonly name: string;
  /**
   * The VM and its job, made at the first call: a create whose key was answered before needs neither a zone nor a
   * place in the queue. @throws ServiceError unknown_zone, unknown_image, overloaded
   */
  create(): LeasedJob;
}

const MAX_BATCH = 64;
const MAX_WAITING = 2_000;
const RENAME_RACES = 5;

/**
 * Creates VMs. Creates of one tenant that arrive together commit together, up to 64 in a transaction with one lock
 * of the tenant's quota, each admitted or refused alone.
 */
@Injectable()
export class VmCreator {
  readonly #groups = new Map<string, GroupCommit<Creation, Admitted>>();

  constructor(
    @TenantDatabase() private readonly db: Database,
    private readonly catalog: Catalog,
    private readonly admission: Admission,
    private readonly dispatcher: Dispatcher,
    @ServiceConfig() private readonly config: OrchestratorConfig,
  ) {}

  /**
   * @throws ServiceError unknown_zone, unknown_image, capability_unsupported, name_taken, quota_exceeded, overloaded (before anything
   *   is written), and those of the idempotency key
   */
  async create(meta: RequestMeta, body: CreateVm): Promise<RpcReply<Vm>> {
    let ticket: Ticket | undefined;
    let made: LeasedJob | undefined;
    const create = () => {
      if (made) return made;
      const zone = this.catalog.require(body.zone, body.config, needsOf(asked(body)));
      ticket = this.admission.admit();
      const now = databaseNow();
      return (made = newJob(newVm(meta, body, zone, now), createOperation, {}, ticket.owner, now));
    };
    try {
      // Without a key to look up, an invalid or untimely create is refused before it waits for others.
      if (!meta.idempotency) create();
      const { vm, position, replayed } = await this.#group(meta.tenantId).submit({
        meta,
        name: body.name,
        create,
      });
      return {
        body: vm,
        version: vm.version,
        position: formatPosition(position),
        ...(replayed ? { replayed } : {}),
      };
    } finally {
      ticket?.settle();
    }
  }

  /** One queue of commits for each tenant that is creating. */
  #group(tenantId: string): GroupCommit<Creation, Admitted> {
    let group = this.#groups.get(tenantId);
    if (!group) {
      group = new GroupCommit((batch) => this.#commit(tenantId, batch), {
        maxBatch: MAX_BATCH,
        maxWaiting: MAX_WAITING,
        whenFull: () =>
          new ServiceError('overloaded', 'Too many creates wait to be written', { retryAfterMs: 1_000 }),
        onIdle: () => this.#groups.delete(tenantId),
      });
      this.#groups.set(tenantId, group);
    }
    return group;
  }

  async #commit(tenantId: string, batch: readonly Creation[]): Promise<(Admitted | Error)[]> {
    const { result, position } = await withRetry(
      () => this.db.transaction({ tenantId }, (tx) => admit(tx, batch, this.config.quota)),
      RENAME_RACES,
      // A rename took a name after the lookup: the next lookup finds it.
      (error) => isUniqueViolation(error, 'vms_by_name'),
    );
    const created = batch.filter((_, i) => result[i] && !(result[i] instanceof Error) && !result[i].replayed);
    this.dispatcher.createdLeased(created.map((creation) => creation.create()));
    return result.map((answer) => (answer instanceof Error ? answer : { ...answer, position }));
  }
}

/** The configuration that cloud-init applies. */
function asked(body: CreateVm): Pick<VmRow, 'user_data' | 'ssh_keys'> {
  return { user_data: body.userData ?? null, ssh_keys: body.sshKeys };
}

function newVm(meta: RequestMeta, body: CreateVm, zone: string, now: Date): VmRow {
  return {
    tenant_id: meta.tenantId,
    id: newId<VmId>(),
    name: body.name,
    state: 'pending',
    desired_state: body.autostart ? 'running' : 'stopped',
    cpu: body.config.cpu,
    memory: body.config.memory,
    disk: body.config.disk,
    image: body.config.image,
    zone,
    host_id: null,
    tags: body.tags,
    ...asked(body),
    autostart: body.autostart,
    task: null,
    conditions: [],
    stop_reason: null,
    last_error: null,
    generation: 1,
    observed_generation: 0,
    incarnation: 0,
    fence: 1,
    quota_held: true,
    fact_epoch: 0,
    fact_seq: 0,
    version: 1,
    created_at: now,
    updated_at: now,
    deleted_at: null,
    restart_policy: body.restartPolicy ?? null,
    restarts: null,
    restart_at: null,
    restarted_at: null,
  };
}
