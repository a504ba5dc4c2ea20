import { Injectable } from '@nestjs/common';
import type { JobId } from '@novacron/contracts/ids';

/** Makes jobs that wait due at once. */
export type WakeJobs = (jobs: readonly JobId[]) => Promise<void>;

/** The port through which a report of a host reaches the jobs, which are on a higher floor: their module connects it. */
@Injectable()
export class WaitingJobs {
  #wake: WakeJobs = () => Promise.reject(new Error('the jobs are not connected'));

  connect(wake: WakeJobs): void {
    this.#wake = wake;
  }

  wake(jobs: readonly JobId[]): Promise<void> {
    return this.#wake(jobs);
  }
}
