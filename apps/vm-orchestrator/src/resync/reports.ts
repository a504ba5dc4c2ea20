import { Injectable } from '@nestjs/common';
import { ServiceLogger, SystemDatabase } from '@novacron/service-kit/inject';
import type { HostReport } from '@novacron/contracts/agents';
import type { HostId } from '@novacron/contracts/ids';
import type { Database } from '@novacron/postgres/database';
import { withRetry } from '@novacron/postgres/retry';
import type { Logger } from '@novacron/telemetry/logger';
import { admitFacts, applyFacts, knownVms } from './facts.js';
import { WaitingJobs } from './waiting-jobs.js';

/** Applies reports that hosts send by themselves: a guest powered itself off, or crashed. Inventories replace lost ones. */
@Injectable()
export class Reports {
  constructor(
    @SystemDatabase() private readonly db: Database,
    private readonly waitingJobs: WaitingJobs,
    @ServiceLogger() private readonly log: Logger,
  ) {}

  async apply(hostId: HostId, report: HostReport): Promise<{ needed: 'nothing' | 'register' }> {
    const facts = new Map(report.facts.map((fact) => [fact.vmId, fact]));
    const { result } = await withRetry(() =>
      this.db.transaction({}, async (tx) => {
        const admitted = await admitFacts(tx, hostId, report);
        if (admitted !== 'apply') return { admitted, changed: 0, waiting: [] };
        const known = await knownVms(tx, [...facts.keys()]);
        return { admitted, ...(await applyFacts(tx, hostId, report, facts, known)) };
      }),
    );
    if (result.changed > 0) this.log.info({ hostId, vms: result.changed }, 'host report changed VMs');
    if (result.waiting.length > 0) await this.waitingJobs.wake(result.waiting);
    return { needed: result.admitted === 'register' ? 'register' : 'nothing' };
  }
}
