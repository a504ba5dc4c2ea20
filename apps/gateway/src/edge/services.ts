import type { Changes } from '../waits/changes.js';
import type { MetricsIntake } from '../metrics/intake.js';

/** What handlers use beside the services that they ask. */
export interface Services {
  readonly changes: Changes;
  readonly intake: MetricsIntake;
  /** Aborted when this process starts to drain. */
  readonly draining: AbortSignal;
}
