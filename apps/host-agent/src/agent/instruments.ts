import type { CommandKind, CommandReply } from '@novacron/contracts/agents';
import { counter, histogram, observableGauge } from '@novacron/telemetry/metrics';

const executed = counter('novacron_agent_commands_total', 'Commands executed, by kind and outcome');
const duration = histogram(
  'novacron_agent_command_duration_seconds',
  'Time from the start of a command to its reply',
  [0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
);
const published = counter('novacron_agent_metric_points_total', 'Metric points that JetStream has stored');
const dropped = counter(
  'novacron_agent_metric_points_dropped_total',
  'Metric points dropped, the oldest first',
  [{}],
);

export function commandExecuted(kind: CommandKind, outcome: CommandReply['outcome'], ms: number): void {
  executed.add(1, { kind, outcome });
  duration.record(ms / 1_000, { kind });
}

export function pointsPublished(points: number): void {
  published.add(points);
}

export function pointsDropped(points: number): void {
  dropped.add(points);
}

/** Exports the number of VMs on all hosts of this process. */
export function showGuests(read: () => number): void {
  observableGauge('novacron_agent_guests', 'VMs on the hosts of this process', (observe) => observe(read()));
}
