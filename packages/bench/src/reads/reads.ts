import { withStack } from '../bench-stack.js';
import type { Benchmark } from '../benchmark.js';
import { afterWrite } from './after-write.js';
import { hotReads } from './hot.js';
import { invalidation } from './invalidation.js';
import { withSecondGateway } from './second-gateway.js';
import { uncachedList } from './uncached.js';
import { runningVms } from './vms.js';

/** Metrics of the simulated guests would load both sides. */
const QUIET = { NOVACRON_AGENT_METRICS_INTERVAL_MS: '3600000' };

export const reads: Benchmark = {
  name: 'reads',
  about: 'reads from the L1, past it, after a write, and how long an old state stays',
  run: async (context) => {
    const hot = await hotReads(context);
    return withStack(context, { env: QUIET }, async (stack) => {
      const ids = await runningVms(stack, 'own', 100);
      const uncached = await uncachedList(context, stack);
      const rest = await withSecondGateway(stack, async (other) => [
        ...(await invalidation(context, stack, other, ids)),
        ...(await afterWrite(context, stack, other, ids)),
      ]);
      return [...hot, ...uncached, ...rest];
    });
  },
};
