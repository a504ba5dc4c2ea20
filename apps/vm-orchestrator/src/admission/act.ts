import { Injectable } from '@nestjs/common';
import { ServiceConfig, TenantDatabase } from '@novacron/service-kit/inject';
import type { BodyOf, RequestMeta, RpcReply } from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import { formatPosition } from '@novacron/contracts/position';
import type { ActionResult, vmsRpc } from '@novacron/contracts/vms';
import { appendEvents } from '@novacron/outbox/append';
import type { Call, Database, Transaction } from '@novacron/postgres/database';
import { withRetry } from '@novacron/postgres/retry';
import { gate, type Gate, type VmAction } from '@novacron/vm-lifecycle/actions';
import type { OrchestratorConfig } from '../config.js';
import { databaseNow } from '../database/clock.js';
import { jobEvent } from '../jobs/commit.js';
import { Dispatcher } from '../jobs/dispatcher.js';
import type { LeasedJob } from '../jobs/operation.js';
import { toJob, type JobRow } from '../jobs/row.js';
import { NEEDS, operationFor } from '../operations/registry.js';
import { HostSnapshot } from '../hosts/snapshot.js';
import { takeQuota } from '../quotas/quotas.js';
import { Admission, type Ticket } from './admission.js';
import { changeVms } from '../vms/change.js';
import { requireVersion } from './if-match.js';
import { recallCalls, recalled, rememberCalls } from './idempotency.js';
import { intend, type Intent } from './intent.js';
import { mustRebuild } from '../placement/rebuild.js';
import { INSERT_JOBS } from '../jobs/new-job.js';
import { gateView, toVm, type VmRow } from '../vms/row.js';
import { LOCK_VM } from '../vms/statements.js';
import { LIVE_JOB, SUPERSEDE } from '../jobs/statements.js';

type Body = BodyOf<typeof vmsRpc.act>;

interface Acted {
  readonly answer: ActionResult;
  readonly created: LeasedJob | null;
  readonly replayed: boolean;
}

/** Accepts actions on VMs: writes the intent, its transient state and its job in one transaction, and answers. */
@Injectable()
export class VmActor {
  constructor(
    @TenantDatabase() private readonly db: Database,
    private readonly hosts: HostSnapshot,
    private readonly admission: Admission,
    private readonly dispatcher: Dispatcher,
    @ServiceConfig() private readonly config: OrchestratorConfig,
  ) {}

  /**
   * @throws ServiceError not_found, precondition_failed, vm_busy, invalid_state, capability_unsupported,
   *   quota_exceeded (retry), overloaded, and those of the idempotency key
   */
  async act(meta: RequestMeta, body: Body): Promise<RpcReply<ActionResult>> {
    // An action that takes work away is always admitted.
    const always = body.action === 'delete' || body.action === 'force-stop';
    let ticket: Ticket | undefined;
    const admit = () => (ticket ??= this.admission.admit({ always }));
    try {
      // A key is looked up first. Without one, an overloaded process refuses before it begins a transaction.
      if (!meta.idempotency) admit();
      const { result, position } = await withRetry(() =>
        this.db.transaction({ tenantId: meta.tenantId }, (tx) => this.#write(tx, meta, body, admit)),
      );
      if (result.created) this.dispatcher.createdLeased([result.created]);
      const { answer, replayed } = result;
      return {
        body: answer,
        version: answer.vm.version,
        position: formatPosition(position),
        ...(replayed ? { replayed } : {}),
      };
    } finally {
      ticket?.settle();
    }
  }

  async #write(tx: Transaction, meta: RequestMeta, body: Body, admit: () => Ticket): Promise<Acted> {
    const recall = recallCalls([{ meta }]);
    const results = await tx.pipeline([...recall, { statement: LOCK_VM, params: [meta.tenantId, body.id] }]);
    const known = recalled<ActionResult>(results.slice(0, recall.length) as never)(meta);
    if (known.outcome === 'refused') throw known.error;
    if (known.outcome === 'replay') return { answer: known.answer, created: null, replayed: true };

    let vm = results.at(-1)?.rows[0] as unknown as VmRow | undefined;
    if (!vm || (vm.state === 'deleted' && body.action !== 'delete')) {
      throw new ServiceError('not_found', `There is no VM ${body.id}`);
    }
    requireVersion(vm, body.ifMatch);
    requireDriver(body.action);
    const decision = gate(body.action, gateView(vm));
    refuse(decision, body.action, vm);
    requireCapability(body.action, vm, this.hosts);
    // A VM that failed before it had a host gave its quota up.
    if (decision.outcome === 'accept' && body.action === 'retry' && !vm.quota_held) {
      await takeQuota(tx, vm, this.config.quota);
      vm = { ...vm, quota_held: true };
    }

    const now = databaseNow();
    const asked = { ...body, rebuild: await mustRebuild(tx, body.action, vm, this.hosts) };
    const intent = intend(decision, vm, asked, admit().owner, now);
    const { answer, created, calls } = await write(tx, intent, vm, body.action, now);
    await tx.pipeline([...calls, ...rememberCalls([{ meta, answer }], now)]);
    return { answer, created, replayed: false };
  }
}

/** Writes the effects of the action, except for the calls that are sent together with the answer's key. */
async function write(tx: Transaction, intent: Intent, vm: VmRow, action: VmAction, now: Date) {
  if (intent.supersedes) await supersede(tx, vm, action, now);
  const [changed] = intent.patch ? await changeVms(tx, [{ row: vm, patch: intent.patch }], now) : [vm];
  const row = changed as VmRow;
  if (intent.job === null) return { answer: { vm: toVm(row), job: null }, created: null, calls: [] };
  if (intent.job === 'live') return { answer: await withLiveJob(tx, row), created: null, calls: [] };
  const calls: Call[] = [{ statement: INSERT_JOBS, params: [JSON.stringify([intent.job])] }];
  const created = { vm: row, job: intent.job };
  return { answer: { vm: toVm(row), job: toJob(intent.job) }, created, calls };
}

/** Ends the live job. The next commit of the worker that holds it fails, because the lease is gone. */
async function supersede(tx: Transaction, vm: VmRow, action: VmAction, now: Date): Promise<void> {
  const { rows } = await tx.query<JobRow>(SUPERSEDE, [vm.id, now, action]);
  await appendEvents(tx, rows.map(jobEvent));
}

async function withLiveJob(tx: Transaction, vm: VmRow): Promise<ActionResult> {
  const { rows } = await tx.query<JobRow>(LIVE_JOB, [vm.tenant_id, vm.id]);
  return { vm: toVm(vm), job: rows[0] ? toJob(rows[0]) : null };
}

function refuse(decision: Gate, action: VmAction, vm: VmRow): void {
  if (decision.outcome === 'busy') {
    throw new ServiceError(
      'vm_busy',
      `The VM is ${vm.state} (${vm.task?.kind ?? 'no task'}): ${action} has to wait`,
      {
        retryAfterMs: 1_000,
      },
    );
  }
  if (decision.outcome === 'invalid_state') {
    throw new ServiceError('invalid_state', `A VM that is ${vm.state} cannot ${action}`);
  }
}

/** Refuses an action that no driver supports, whatever the VM's state and host. */
function requireDriver(action: VmAction): void {
  if (operationFor(action) === undefined)
    throw new ServiceError('capability_unsupported', `No driver can ${action} a VM yet`);
}

/** Refuses an action that the driver of the VM's host does not support: it is never silently ignored. */
function requireCapability(action: VmAction, vm: VmRow, hosts: Pick<HostSnapshot, 'host'>): void {
  const need = NEEDS[action];
  const host = vm.host_id === null ? undefined : hosts.host(vm.host_id);
  if (!need || !host || host.capabilities.includes(need)) return;
  throw new ServiceError('capability_unsupported', `The driver of the VM's host cannot ${action} a VM`);
}
