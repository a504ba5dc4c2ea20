import { Injectable } from '@nestjs/common';
import { ServiceError } from '@novacron/contracts/errors';
import { Job, jobsRpc } from '@novacron/contracts/jobs';
import type { Answer } from '../http/answer.js';
import type { Requester } from '../reads/requester.js';
import { WaitSlots } from '../waits/wait-slots.js';
import { Waits, type Waited, type Waiting } from '../waits/waits.js';

const ENDED: readonly Job['status'][] = ['succeeded', 'failed', 'cancelled'];

/** Waits until a job has ended, with any outcome. */
@Injectable()
export class JobWaits {
  constructor(
    private readonly waits: Waits,
    private readonly slots: WaitSlots,
  ) {}

  /** See `Waits.until`. */
  until(
    requester: Requester,
    id: Job['id'],
    timeoutMs: number,
    own: Pick<Waiting<Job>, 'slot' | 'known'>,
  ): Promise<Waited<Job>> {
    return this.waits.until<Job>(requester, {
      kind: 'job',
      id,
      timeoutMs,
      ...own,
      read: async (deadlineMs) => (await requester.request(jobsRpc.get, { id }, deadlineMs)).body,
      decode: (data) => Job.safeParse(data).data ?? null,
      judge: (job) => (ENDED.includes(job.status) ? 'reached' : 'not_yet'),
    });
  }

  /** @throws ServiceError `wait_timeout`, `unreachable_state`, `too_many_waits`, or of the first read */
  async answer(requester: Requester, id: Job['id'], timeoutMs: number): Promise<Answer> {
    const slot = this.slots.take(requester.caller);
    const { outcome, current } = await this.until(requester, id, timeoutMs, { slot });
    if (outcome === 'reached') return { status: 200, body: current, version: current.version };
    if (outcome === 'timeout')
      throw new ServiceError('wait_timeout', `The job is ${current.status}, at ${current.step}.`);
    throw new ServiceError('unreachable_state', 'The job no longer exists.');
  }
}
