import type { ServiceReplication } from '@novacron/contracts/replication';
import type { Changes } from '../waits/changes.js';
import type { ReadTurns } from '../waits/read-turns.js';
import type { WaitSlots } from '../waits/wait-slots.js';
import type { MetricsIntake } from '../metrics/metrics-publisher.js';
import type { PushTargets } from '../metrics/push-targets.js';
import type { Reads } from '../reads/reads.js';

/** What handlers use beside the services that they ask. */
export interface Services {
  readonly changes: Changes;
  readonly waits: WaitSlots;
  readonly readTurns: ReadTurns;
  readonly intake: MetricsIntake;
  readonly pushTargets: PushTargets;
  readonly reads: Reads;
  /** The database servers of this process. */
  readonly replication: () => Promise<ServiceReplication>;
  /** Aborted when this process starts to drain. */
  readonly draining: AbortSignal;
}
