import { dashboard, graph, quantile, rate, stat, table } from './build.mjs';

const OURS = 'job="vm-orchestrator"';
const AGENTS = 'job="host-agent",instance=~"$instance"';
/** Each orchestrator tells the same of the fleet: the highest counts once. */
const vms = `max by (state) (novacron_vms{${OURS}})`;
const hosts = `max by (zone, state, schedulable) (novacron_hosts{${OURS}})`;
const share = (resource) =>
  `max by (zone) (novacron_zone_allocated{${OURS},resource="${resource}"}) / max by (zone) (novacron_zone_capacity{${OURS},resource="${resource}"})`;

export const vmFleet = dashboard({
  uid: 'novacron-vm-fleet',
  title: 'NovaCron VM fleet',
  description: 'VMs, hosts, and the work that is done on them.',
  variables: { instance: 'label_values(novacron_agent_guests{job="host-agent"}, instance)' },
  rows: {
    'At a glance': [
      stat('VMs', 'short', `sum(${vms})`),
      stat('Running', 'short', 'max(novacron_vms{state="running"})'),
      stat(
        'In error or unknown',
        'short',
        'sum(max by (state) (novacron_vms{state=~"error|unknown"})) or vector(0)',
        {
          thresholds: { orange: 1 },
        },
      ),
      stat('Hosts up', 'short', `sum(max by (zone, schedulable) (novacron_hosts{state="up"}))`),
      stat('Jobs overdue', 'short', 'sum(max by (reason) (novacron_jobs_overdue))', {
        thresholds: { red: 1 },
      }),
      stat('Guests in quarantine', 'short', 'max(novacron_quarantined_guests)', {
        thresholds: { orange: 1 },
      }),
    ],
    Fleet: [
      graph('VMs by state', 'short', { '{{state}}': vms }),
      graph('Hosts', 'short', { '{{zone}} {{state}} schedulable={{schedulable}}': hosts }),
      graph('Guests by agent', 'short', { '{{instance}}': `novacron_agent_guests{${AGENTS}}` }),
      graph('vCPUs given away', 'percentunit', { '{{zone}}': share('cpu') }),
      graph('Memory given away', 'percentunit', { '{{zone}}': share('memory') }),
      graph('Disk given away', 'percentunit', { '{{zone}}': share('disk') }),
      table('Zones', {
        capacity: ['short', `max by (zone, resource) (novacron_zone_capacity{${OURS}})`],
        allocated: ['short', `max by (zone, resource) (novacron_zone_allocated{${OURS}})`],
      }),
    ],
    Jobs: [
      graph('In progress', 'short', {
        jobs: 'max(novacron_jobs_live)',
        'refused beyond': 'min(novacron_jobs_limit)',
      }),
      graph('Slots', 'short', { '{{state}}': `sum by (state) (novacron_job_slots{${OURS}})` }),
      graph('Overdue', 'short', { '{{reason}}': 'max by (reason) (novacron_jobs_overdue)' }),
      graph('Longest wait for a worker', 's', { due: 'max(novacron_jobs_oldest_due_seconds)' }),
      graph('Events', 'ops', {
        '{{stage}}': `max by (stage) (rate(novacron_outbox_seq{${OURS}}[$__rate_interval]))`,
      }),
      graph('Oldest event that is not published', 's', { age: 'max(novacron_outbox_oldest_seconds)' }),
    ],
    Hosts: [
      graph('Commands, by kind', 'ops', {
        '{{kind}}': rate('novacron_agent_commands_total', AGENTS, ['kind']),
      }),
      graph('Commands that did not succeed', 'ops', {
        '{{kind}} {{outcome}}': rate('novacron_agent_commands_total', `${AGENTS},outcome!~"done|accepted"`, [
          'kind',
          'outcome',
        ]),
      }),
      graph('Commands, 95th percentile', 's', {
        '{{kind}}': quantile(0.95, 'novacron_agent_command_duration_seconds', AGENTS, ['kind']),
      }),
      graph('Hosts lost', 'short', { 'in an hour': `sum(increase(novacron_hosts_lost_total{${OURS}}[1h]))` }),
      graph('Corrections of allocation, ever: each one is a bug', 'short', {
        corrections: `sum(novacron_host_allocation_corrections_total{${OURS}})`,
      }),
    ],
  },
});
