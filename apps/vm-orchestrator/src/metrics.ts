import { observableGauge } from '@novacron/telemetry/metrics';
import type { Core } from './core.js';
import { exportHostMetrics } from './hosts/metrics.js';

/** The orchestrator's own gauges on the ops port. */
export function exportMetrics(core: Core): void {
  exportHostMetrics(core.hosts);
  observableGauge('novacron_jobs_live', 'Jobs in progress, over all processes', (observe) =>
    observe(core.admission.live),
  );
  observableGauge('novacron_jobs_limit', 'Jobs in progress beyond which requests are refused', (observe) =>
    observe(core.config.jobs.maxLive),
  );
  observableGauge('novacron_job_slots', 'Job slots of this process', (observe) => {
    observe(core.worker.busy, { state: 'busy' });
    observe(core.worker.free, { state: 'free' });
  });
  observableGauge('novacron_outbox_seq', 'Numbers of the newest events', (observe) => {
    const { numbered, published } = core.relay.stats();
    observe(numbered, { stage: 'numbered' });
    observe(published, { stage: 'published' });
  });
}
