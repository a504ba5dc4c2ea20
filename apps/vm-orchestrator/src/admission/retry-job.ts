import { Injectable } from '@nestjs/common';
import { TenantDatabase } from '@novacron/service-kit/inject';
import type { RequestMeta, RpcReply } from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import type { JobId } from '@novacron/contracts/ids';
import type { Job } from '@novacron/contracts/jobs';
import type { Database } from '@novacron/postgres/database';
import { formatPosition } from '@novacron/contracts/position';
import type { ActionResult } from '@novacron/contracts/vms';
import type { VmAction } from '@novacron/vm-lifecycle/actions';
import { VmActor } from './act.js';
import { answeredBefore } from './idempotency.js';
import { VmReads } from '../vms/vm-reads.js';
import type { VmRow } from '../vms/row.js';
import { optionsOf } from '../jobs/args.js';
import { JobReads } from '../jobs/job-reads.js';
import type { JobRow } from '../jobs/row.js';

/**
 * Runs the action of a failed or cancelled job again, with the arguments of its caller. A retry is a new job, so
 * that nothing of the old one (a remembered command, a fence) can answer for it.
 */
@Injectable()
export class JobRetrier {
  constructor(
    @TenantDatabase() private readonly db: Database,
    private readonly actor: VmActor,
    private readonly jobs: JobReads,
    private readonly vms: VmReads,
  ) {}

  /** @throws ServiceError not_found, invalid_state when the job did not fail, and those of the action */
  async retry(meta: RequestMeta, id: JobId): Promise<RpcReply<Job>> {
    const before = await answeredBefore<ActionResult>(this.db, meta);
    const reply: RpcReply<ActionResult> = before
      ? { body: before.answer, position: formatPosition(before.position), replayed: true }
      : await this.#runAgain(meta, id);
    const { vm, job } = reply.body;
    if (!job)
      throw new ServiceError('invalid_state', `What the job was to do is so already: the VM is ${vm.state}`);
    return { ...reply, body: job, version: job.version };
  }

  async #runAgain(meta: RequestMeta, id: JobId): Promise<RpcReply<ActionResult>> {
    const strong = { ...meta, consistency: 'strong' } as const;
    const { job } = await this.jobs.row(strong, id);
    if (job.status !== 'failed' && job.status !== 'cancelled') {
      throw new ServiceError('invalid_state', `The job is ${job.status}: only what failed can be retried`);
    }
    const vm = job.kind === 'create' ? (await this.vms.row(strong, job.vm_id)).row : null;
    const action = retriedBy(job, vm);
    return this.actor.act(meta, { id: job.vm_id, action, options: optionsOf(job.args) });
  }
}

/** The action that repeats a job. A create of which only the start of the guest failed continues with the start. */
export function retriedBy(
  job: Pick<JobRow, 'kind'>,
  vm: Pick<VmRow, 'state' | 'stop_reason'> | null,
): VmAction {
  if (job.kind === 'cold-migrate')
    throw new ServiceError(
      'invalid_state',
      'The job belongs to the drain of a host, which repeats it itself',
    );
  if (job.kind !== 'create') return job.kind;
  const unstarted = ['start_failed', 'start_cancelled'].includes(vm?.stop_reason ?? '');
  return vm?.state === 'stopped' && unstarted ? 'start' : 'retry';
}
